// Draws the figures that stand in the page as JSON, in the page's own colours.
(function () {
  'use strict';
  var source = document.getElementById('figures');
  if (!source || !window.Plotly) { return; }
  var figures = JSON.parse(source.textContent);
  var places = [];
  function colours() {
    var style = getComputedStyle(document.documentElement);
    var text = style.getPropertyValue('--text').trim();
    var line = style.getPropertyValue('--line').trim();
    return {'font.color': text, 'xaxis.gridcolor': line, 'yaxis.gridcolor': line,
      'xaxis.zerolinecolor': line, 'yaxis.zerolinecolor': line};
  }
  document.querySelectorAll('[data-figures]').forEach(function (box) {
    (figures[box.dataset.figures] || []).forEach(function (figure) {
      var place = document.createElement('div');
      box.appendChild(place);
      Plotly.newPlot(place, figure.data, figure.layout, {displayModeBar: false, responsive: true})
        .then(function () { return Plotly.relayout(place, colours()); })
        .then(function () { place.dataset.drawn = 'yes'; });
      place.setAttribute('role', 'img');
      place.setAttribute('aria-label', (figure.layout.title || {}).text || box.dataset.figures);
      places.push(place);
    });
  });
  document.addEventListener('theme', function () {
    places.forEach(function (place) { Plotly.relayout(place, colours()); });
  });
})();
