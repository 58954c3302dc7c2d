"""What becomes of scan events: drained into SQL exactly once, and told to whoever keeps something of them."""
