"""What a live code cost and what it brought: spend by placement, numbers by placement, cohorts and their return."""
