// The next plan: what it costs while it is edited, a few samples of it, and proposing it.
// Texts are set as texts only.
(function () {
  'use strict';
  var form = document.getElementById('plan');
  if (!form) { return; }
  var api = form.dataset.api;
  var cost = document.getElementById('cost');
  var said = document.getElementById('plan-said');
  var fields = Array.from(form.querySelectorAll('input[data-weakness]'));
  var asked = 0;
  var timer = null;

  function send(path, body) {
    var options = {credentials: 'same-origin'};
    if (body) {
      options.method = 'POST';
      options.headers = {'Content-Type': 'application/json', 'X-Activesynth': '1'};
      options.body = JSON.stringify(body);
    }
    return fetch(api + path, options).then(function (answer) {
      return answer.json().then(function (found) {
        if (!answer.ok) { throw new Error(found.error.message); }
        return found;
      });
    });
  }
  function tell(place, text, css) { place.className = css; place.textContent = text; }
  function amounts() {
    var found = {};
    fields.forEach(function (field) {
      if (field.value !== '') { found[field.dataset.weakness] = Number(field.value); }
    });
    return found;
  }
  function showCost() {
    var mine = ++asked;
    var query = new URLSearchParams({rest: form.elements.rest.value});
    var named = amounts();
    Object.keys(named).forEach(function (name) { query.append('part', name + '=' + named[name]); });
    send('/plan/cost?' + query).then(function (found) {
      if (mine !== asked) { return; }
      tell(cost, found.named + ' of ' + found.budget + ' rows as you say, ' + found.automatic +
        ' automatically: ' + found.told + '.', 'soft');
    }).catch(function (error) { if (mine === asked) { tell(cost, error.message, 'bad'); } });
  }
  form.addEventListener('input', function (event) {
    if (event.target.name === 'reason') { return; }
    clearTimeout(timer);
    timer = setTimeout(showCost, 200);
  });
  form.addEventListener('submit', function (event) {
    event.preventDefault();
    var named = amounts();
    if (!Object.keys(named).length) {
      tell(said, 'Say for one weakness at least how many rows it gets.', 'bad');
      fields[0].focus();
      return;
    }
    var button = form.querySelector('button.main');
    button.disabled = true;
    tell(said, 'Working.', 'soft');
    send('/plan/proposals', {amounts: named, rest: form.elements.rest.value, reason: form.elements.reason.value})
      .then(function () { location.reload(); })
      .catch(function (error) { button.disabled = false; tell(said, error.message, 'bad'); });
  });

  function picture(found, k) {
    var made = document.createElement('figure');
    if (found.pictures.length) {
      var image = document.createElement('img');
      image.src = found.pictures[k];
      image.alt = 'a sample made as ' + found.labels[k];
      made.appendChild(image);
    } else {
      var values = document.createElement('code');
      values.textContent = found.values[k];
      made.appendChild(values);
    }
    var label = document.createElement('figcaption');
    label.textContent = found.labels[k];
    made.appendChild(label);
    return made;
  }
  form.querySelectorAll('button[data-preview]').forEach(function (button) {
    button.addEventListener('click', function () {
      var box = button.closest('.part').querySelector('.made');
      var told = button.closest('.part').querySelector('[role=status]');
      button.disabled = true;
      tell(told, 'Making 4 samples; this takes some seconds.', 'soft');
      send('/preview', {weakness: button.dataset.preview, rows: 4}).then(function (found) {
        box.replaceChildren.apply(box, found.labels.map(function (_, k) { return picture(found, k); }));
        tell(told, found.labels.length + ' samples by the generator of iteration ' + found.iteration + ', made in ' +
          found.seconds.toPrecision(2) + ' s. Nothing was recorded.', 'soft');
      }).catch(function (error) { tell(told, error.message, 'bad'); })
        .then(function () { button.disabled = false; });
    });
  });
  showCost();
})();
