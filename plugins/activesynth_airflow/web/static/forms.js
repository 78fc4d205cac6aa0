// Forms that send JSON to our API and say what came of it; texts are set as texts only.
(function () {
  'use strict';
  function value(field) {
    if (field.type === 'checkbox') { return field.checked; }
    if (field.dataset.kind === 'number') { return field.value === '' ? null : Number(field.value); }
    return field.value === '' ? null : field.value;
  }
  document.querySelectorAll('form[data-post]').forEach(function (form) {
    var said = form.querySelector('[role=status]');
    var which = null;
    form.querySelectorAll('button').forEach(function (button) {
      button.addEventListener('click', function () { which = button; });
    });
    form.addEventListener('submit', function (event) {
      event.preventDefault();
      var body = {};
      form.querySelectorAll('[name]').forEach(function (field) {
        var found = value(field);
        if (found !== null) { body[field.name] = found; }
      });
      var one = form.querySelector('[data-one]');
      if (one) {  // a choice of how to name something, and its name
        var key = body[one.name];
        var text = body[one.dataset.one];
        delete body[one.name];
        delete body[one.dataset.one];
        if (text !== undefined) { body[key] = key === 'iteration' || key === 'cluster' ? Number(text) : text; }
      }
      // What cannot be taken back is shown first, and done when it is asked for again as it was.
      var asked = JSON.stringify(body), isSure = form.dataset.shown === asked;
      var doing = which && which.dataset.set ? which : null;
      if (doing && isSure) { body[doing.dataset.set] = true; }
      form.dataset.shown = doing && isSure ? '' : asked;
      form.querySelectorAll('button').forEach(function (button) { button.disabled = true; });
      said.className = 'soft';
      said.textContent = 'Working.';
      fetch(form.dataset.post, {method: 'POST', credentials: 'same-origin', body: JSON.stringify(body),
        headers: {'Content-Type': 'application/json', 'X-Activesynth': '1'}})
        .then(function (answer) {
          return answer.json().then(function (found) {
            said.className = answer.ok ? 'good' : 'bad';
            said.textContent = answer.ok ? form.dataset.done : found.error.message;
            if (answer.ok && doing && !isSure) { said.textContent += ' Press the same button again to do it.'; }
            if (answer.ok && doing && isSure) { said.textContent = form.dataset.did; }
            if (answer.ok && form.dataset.show) { tell(document.getElementById(form.dataset.show), found); }
            if (answer.ok && form.dataset.reload) { location.reload(); }
          });
        })
        .catch(function () { said.className = 'bad'; said.textContent = 'The server does not answer; nothing is known to be done. Try again.'; })
        .then(function () { form.querySelectorAll('button').forEach(function (button) { button.disabled = false; }); });
    });
  });
  function row(table, name, text) {
    var line = table.insertRow();
    line.insertCell().textContent = name;
    line.insertCell().textContent = text;
  }
  function tell(box, found) {
    box.replaceChildren();
    var table = document.createElement('table');
    table.className = 'narrow';
    row(table, 'samples of the batch', found.reach.samples + ', of them in the head ' + found.reach.in_head);
    row(table, 'versions and candidates it reached', found.reach.totals.versions);
    row(table, 'models that learnt from it', found.reach.totals.models + (found.reach.is_head_model ? ', the head\'s model among them' : ''));
    row(table, 'numbers these moved', found.reach.totals.metrics);
    row(table, 'synthetic samples that leave the head', found.synthetic);
    row(table, 'labels that are taken back', found.to_pool + ' to the pool, ' + found.relabelled + ' relabelled, ' + found.restored + ' restored');
    row(table, 'next iteration trains anew', found.trains_anew ? 'yes' : 'no');
    row(table, 'new version', found.is_nothing_left ? 'none: nothing of it is left' : found.version + (found.is_done ? ' (is the head now)' : ' (not made yet)'));
    box.appendChild(table);
    found.reach.metrics.slice(0, 20).forEach(function (metric) {
      var line = document.createElement('div');
      line.className = 'soft';
      line.textContent = 'iteration ' + metric.iteration + ', ' + metric.arm + ', ' + metric.name.replace(/_/g, ' ') +
        ' on ' + metric.split + ': ' + metric.value.toFixed(4);
      box.appendChild(line);
    });
  }
})();
