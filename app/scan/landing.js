// Two small things a landing page does: it tells us of a long-press, and it asks whether it still shows today's code.
// Written for the browsers inside chat apps, some of which are ten years old: no module, no arrow, no promise of ours.
(function () {
  'use strict';
  var page = document.body.dataset;
  var code = document.querySelector('.code');
  var touched = false;
  var pressed = !('press' in page);
  // performance.now, because a phone's own clock may stand wrong or be set while the page is open.
  var asked = -1e9;
  var timer, x, y;

  function press() {
    clearTimeout(timer);
    if (pressed) return;
    pressed = true;
    var to = page.home + '/press' + page.query;
    if (navigator.sendBeacon && navigator.sendBeacon(to)) return;
    if (window.fetch) fetch(to, {method: 'POST', keepalive: true}).catch(function () {});
  }

  function release() {
    touched = false;
    clearTimeout(timer);
  }

  if (code) {
    // The timer starts with the touch: once the app's own menu is up, its end may never be told to the page. A cancelled
    // touch is what that menu looks like from here, so only lifting and moving stop the timer.
    code.addEventListener('touchstart', function (event) {
      touched = true;
      x = event.touches[0].clientX;
      y = event.touches[0].clientY;
      clearTimeout(timer);
      timer = setTimeout(press, 500);
    }, {passive: true});
    code.addEventListener('touchmove', function (event) {
      var to = event.touches[0];
      if (Math.abs(to.clientX - x) > 12 || Math.abs(to.clientY - y) > 12) clearTimeout(timer);
    }, {passive: true});
    code.addEventListener('touchend', release);
    // A held finger, or a mouse's right button.
    code.addEventListener('contextmenu', press);
  }

  // The stale page's own name goes into the address: another path than the one an app's cache has stored, and the sign
  // that this page has been asked for anew already.
  function again() {
    var mark = 'r=' + encodeURIComponent(page.token);
    var rest = location.search.slice(1).split('&').filter(function (part) {
      return part && part.slice(0, 2) !== 'r=';
    });
    if (location.search.slice(1).split('&').indexOf(mark) < 0) {
      location.replace(page.home + '?' + rest.concat(mark).join('&'));
    }
  }

  function check() {
    if (!page.token || touched || document.prerendering || document.visibilityState === 'hidden') return;
    if ('ahead' in page) return again();
    if (!window.fetch || performance.now() - asked < 3000) return;
    asked = performance.now();
    var to = page.home + '/fresh?t=' + encodeURIComponent(page.token) + '&n=' + Math.random().toString(36).slice(2);
    fetch(to, {cache: 'no-store'}).then(function (reply) {
      return reply.ok ? reply.json() : null;
    }).then(function (answer) {
      if (answer && answer.fresh === false && !touched) again();
    }).catch(function () {});
  }

  // Straight from the network it is fresh. A copy asks, and so does a page inside an app: those keep pages in spite of
  // no-store, and not all of them admit it.
  function isCopy() {
    var how = performance.getEntriesByType && performance.getEntriesByType('navigation')[0];
    return 'unsure' in page || !how || !how.transferSize;
  }

  window.addEventListener('pageshow', function (event) {
    if (event.persisted) touched = false;
    if (event.persisted || 'ahead' in page || isCopy()) check();
  });
  document.addEventListener('visibilitychange', function () {
    if (document.visibilityState === 'hidden') release();
    else check();
  });
  document.addEventListener('prerenderingchange', check);

  var copy = document.querySelector('[data-copy]');
  if (copy) {
    copy.addEventListener('click', function () {
      var field = document.querySelector('.link');
      field.focus();
      field.setSelectionRange(0, field.value.length);
      if (document.execCommand('copy')) copy.textContent = copy.dataset.copy;
    });
  }
})();
