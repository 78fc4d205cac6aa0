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
  var drawn = [];
  // All places first: a figure takes the width that its place has when it is drawn.
  document.querySelectorAll('[data-figures]').forEach(function (box) {
    (figures[box.dataset.figures] || []).forEach(function (figure) {
      var place = document.createElement('div');
      box.appendChild(place);
      drawn.push([place, figure, box.dataset.figures]);
    });
  });
  drawn.forEach(function (entry) {
    var place = entry[0], figure = entry[1];
    Plotly.newPlot(place, figure.data, figure.layout, {displayModeBar: false, responsive: true})
      .then(function () { return Plotly.relayout(place, colours()); })
      .then(function () {
        // Heat maps know clicks, maps know areas; what was picked is for whoever listens.
        ['plotly_click', 'plotly_selected'].forEach(function (kind) {
          place.on(kind, function (event) {
            if (!event || !event.points || !event.points.length) { return; }
            document.dispatchEvent(new CustomEvent('picked', {detail: {figure: entry[2], points: event.points}}));
          });
        });
        place.dataset.drawn = 'yes';
      });
    place.setAttribute('role', 'img');
    place.setAttribute('aria-label', (figure.layout.title || {}).text || entry[2]);
    places.push(place);
  });
  document.addEventListener('theme', function () {
    places.forEach(function (place) { Plotly.relayout(place, colours()); });
  });
})();
