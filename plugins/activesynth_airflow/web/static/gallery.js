// Candidates of an iteration, a page at a time, as the filters say. Texts are set as texts only.
(function () {
  'use strict';
  var box = document.getElementById('candidates');
  if (!box) { return; }
  var form = document.getElementById('filters');
  var more = document.getElementById('more');
  var said = document.getElementById('said');
  var base = box.dataset.base;
  var classes = JSON.parse(box.dataset.classes);
  var after = '';
  var asked = 0;
  function element(name, text, css) {
    var made = document.createElement(name);
    if (text !== undefined) { made.textContent = text; }
    if (css) { made.className = css; }
    return made;
  }
  function image(sample, alt) {
    var made = element('img');
    made.loading = 'lazy';
    made.alt = alt;
    made.src = base + '/campaigns/' + encodeURIComponent(box.dataset.campaign) + '/pictures/' +
      encodeURIComponent(sample);
    made.addEventListener('error', function () { made.replaceWith(element('span', 'no picture', 'soft')); });
    return made;
  }
  function figure(row) {
    var made = element('figure');
    var images = element('div', undefined, 'images');
    var label = row.label === null ? 'none' : String(classes[row.label] || row.label);
    images.appendChild(image(row.sample, 'synthetic ' + label));
    (row.parents || []).slice(0, 1).forEach(function (parent) {
      images.appendChild(image(parent, 'its nearest real row'));
    });
    made.appendChild(images);
    var link = element('a', label + (row.weakness_title ? ', for ' + row.weakness_title : ''));
    link.href = base + '/campaigns/' + encodeURIComponent(box.dataset.campaign) + '/samples/' +
      encodeURIComponent(row.sample);
    made.appendChild(link);
    made.appendChild(element('div', (row.verdict || 'no verdict') +
      (row.verdict_reason ? ': ' + row.verdict_reason.replace(/_/g, ' ') : ''), row.verdict));
    return made;
  }
  function load(isNew) {
    if (isNew) { after = ''; box.replaceChildren(); }
    var mine = ++asked;
    var query = new URLSearchParams(new FormData(form));
    Array.from(query.keys()).forEach(function (name) { if (!query.get(name)) { query.delete(name); } });
    if (after) { query.set('after', after); }
    fetch(base + '/api/v1/campaigns/' + encodeURIComponent(box.dataset.campaign) + '/iterations/' +
      box.dataset.iteration + '/candidates?' + query, {credentials: 'same-origin'})
      .then(function (answer) {
        return answer.json().then(function (body) {
          if (!answer.ok) { throw new Error(body.error.message); }
          return body;
        });
      })
      .then(function (body) {
        if (mine !== asked) { return; }
        body.items.forEach(function (row) { box.appendChild(figure(row)); });
        after = body.next || '';
        more.hidden = !after;
        said.textContent = (box.children.length ? box.children.length + ' shown' : 'None') + (after ? ', more behind' : '') + '.';
      })
      .catch(function (error) { said.textContent = 'Not loaded: ' + error.message; more.hidden = true; });
  }
  function bound() {  // of no score there are no bounds
    ['least', 'most'].forEach(function (name) { form.elements[name].disabled = !form.elements.score.value; });
  }
  form.addEventListener('change', function () { bound(); load(true); });
  bound();
  more.addEventListener('click', function () { load(false); });
  load(true);
})();
