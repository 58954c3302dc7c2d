// The button that asks a phone where it is, on pages of live codes that send people to the nearest one.
(function () {
  'use strict';
  // Somebody reading their phone's question takes longer than three seconds: they are told that this code is good as it
  // is, and a yes after that still counts.
  var near = document.querySelector('.near');
  if (navigator.geolocation && window.isSecureContext !== false) {
    var words = near.querySelector('p');
    near.hidden = false;
    near.querySelector('button').addEventListener('click', function () {
      var failed = function () { words.textContent = near.dataset.failed; };
      var late = setTimeout(failed, 3000);
      words.textContent = near.dataset.asking;
      navigator.geolocation.getCurrentPosition(function (found) {
        clearTimeout(late);
        near.elements.lat.value = found.coords.latitude.toFixed(4);
        near.elements.lon.value = found.coords.longitude.toFixed(4);
        near.submit();
      }, function () {
        clearTimeout(late);
        failed();
      }, {timeout: 3000, maximumAge: 60000});
    });
  }
})();
