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
  // What a figure shows as a table, for who cannot see it; made when it is opened.
  var ROWS = 400;
  function cells(row, values, name) {
    values.forEach(function (value) {
      var cell = document.createElement(name);
      cell.textContent = typeof value === 'number' ? String(Math.round(value * 1e4) / 1e4) : String(value);
      row.appendChild(cell);
    });
  }
  function lines(trace) {
    if (trace.type === 'heatmap') {
      return trace.y.map(function (y, k) { return [y].concat((trace.text || trace.z)[k]); });
    }
    return (trace.x || []).map(function (x, k) {
      var error = trace.error_y, y = trace.y[k];
      var spread = error && error.array ? ' [' + (y - (error.arrayminus || error.array)[k]).toFixed(3) + ', ' +
        (y + error.array[k]).toFixed(3) + ']' : '';
      return [trace.name || '', x, typeof y === 'number' ? y.toFixed(3) + spread : y];
    });
  }
  function tabled(figure) {
    var all = [];
    figure.data.forEach(function (trace) { all = all.concat(lines(trace)); });
    if (!all.length || all.length > ROWS) { return null; }
    var details = document.createElement('details'), summary = document.createElement('summary');
    summary.textContent = 'As a table: ' + ((figure.layout.title || {}).text || 'figure');
    details.appendChild(summary);
    details.className = 'as-table soft';
    details.addEventListener('toggle', function () {
      if (details.querySelector('table')) { return; }
      var wide = document.createElement('div'), table = document.createElement('table');
      wide.className = 'wide';
      table.className = 'narrow';
      var first = figure.data[0];
      cells(table.insertRow(), first.type === 'heatmap' ? ['true \\ predicted'].concat(first.x) : ['line', 'x', 'value'], 'th');
      all.forEach(function (line) { cells(table.insertRow(), line, 'td'); });
      wide.appendChild(table);
      details.appendChild(wide);
    });
    return details;
  }
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
    var table = tabled(figure);
    if (table) { place.parentElement.appendChild(table); }
  });
  document.addEventListener('theme', function () {
    places.forEach(function (place) { Plotly.relayout(place, colours()); });
  });
})();
