// Samples that were chosen in a figure, by mouse or by the form beside it. Texts are texts only.
(function () {
  'use strict';
  var SHOWN = 60;
  function element(name, text, css) {
    var made = document.createElement(name);
    if (text !== undefined) { made.textContent = text; }
    if (css) { made.className = css; }
    return made;
  }
  document.querySelectorAll('img').forEach(function (image) {
    image.addEventListener('error', function () { image.replaceWith(element('span', 'no picture', 'soft')); });
    if (image.complete && !image.naturalWidth) { image.dispatchEvent(new Event('error')); }
  });
  document.querySelectorAll('[data-chosen]').forEach(function (box) {
    var campaign = box.dataset.base + '/campaigns/' + encodeURIComponent(box.dataset.campaign);
    var said = element('p', undefined, 'soft');
    said.setAttribute('role', 'status');
    var tiles = element('div', undefined, 'pictures');
    box.append(said, tiles);
    var asked = 0;
    function show(title, rows, isMore) {
      tiles.replaceChildren();
      said.textContent = title + ': ' + (rows.length ? rows.length + (isMore ? ' shown of more' : ' shown') : 'none');
      rows.forEach(function (row) {
        var made = element('figure'), image = element('img');
        image.loading = 'lazy';
        image.alt = row.text;
        image.src = campaign + '/pictures/' + encodeURIComponent(row.sample);
        image.addEventListener('error', function () { image.replaceWith(element('span', 'no picture', 'soft')); });
        var link = element('a', row.text);
        link.href = campaign + '/samples/' + encodeURIComponent(row.sample);
        made.append(image, element('br'), link);
        tiles.appendChild(made);
      });
    }
    function fetched(title, path) {
      var mine = ++asked;
      said.textContent = 'Loading.';
      fetch(box.dataset.base + '/api/v1/campaigns/' + encodeURIComponent(box.dataset.campaign) + path, {credentials: 'same-origin'})
        .then(function (answer) {
          return answer.json().then(function (body) {
            if (!answer.ok) { throw new Error(body.error.message); }
            if (mine !== asked) { return; }
            show(title, body.items.map(function (row) {
              return {sample: row.sample, text: 'confidence ' + row.confidence.toFixed(2)};
            }), body.next !== null);
          });
        })
        .catch(function (error) { said.textContent = 'Not loaded: ' + error.message; });
    }
    // A cell of a confusion matrix.
    function cell(arm, label, predicted, title) {
      var query = new URLSearchParams({arm: arm, label: label, predicted: predicted, limit: SHOWN});
      fetched(title, '/iterations/' + box.dataset.iteration + '/predictions?' + query);
    }
    // Points of a map: [sample, cluster] each.
    function points(title, found) {
      show(title, found.slice(0, SHOWN).map(function (point) {
        return {sample: point[0], text: 'cluster ' + point[1]};
      }), found.length > SHOWN);
    }
    document.addEventListener('picked', function (event) {
      if (event.detail.figure !== box.dataset.chosen) { return; }
      var found = event.detail.points;
      if (box.dataset.chosen === 'confusion') {
        var point = found[0], meta = point.data.meta;
        cell(meta.arm, point.pointIndex[0], point.pointIndex[1], 'True ' + point.y + ', predicted ' + point.x);
      } else {
        points('In the area', found.map(function (one) { return one.customdata; }));
      }
    });
    var form = document.querySelector('form[data-for="' + box.dataset.chosen + '"]');
    if (!form) { return; }
    form.addEventListener('submit', function (event) {
      event.preventDefault();
      var field = form.elements;
      if (box.dataset.chosen === 'confusion') {
        cell(field.arm.value, field.label.value, field.predicted.value, 'True ' +
          field.label.selectedOptions[0].textContent + ', predicted ' + field.predicted.selectedOptions[0].textContent);
        return;
      }
      var all = [];
      document.querySelectorAll('[data-figures="map"] > div').forEach(function (place) {
        (place.data || []).forEach(function (trace) {
          if (field.kind.value === '' || trace.meta === field.kind.value) { all = all.concat(trace.customdata || []); }
        });
      });
      points('Chosen', all.filter(function (point) { return field.cluster.value === '' || String(point[1]) === field.cluster.value; }));
    });
  });
})();
