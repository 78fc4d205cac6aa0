// One sample at a time, or a grid. A key counts for the sample that is on the screen when it is
// pressed; each answer goes into an outbox in this browser first, and leaves it when it is on record.
(function () {
  'use strict';
  var desk = document.getElementById('desk');
  var base = desk.dataset.base, campaign = desk.dataset.campaign;
  var classes = JSON.parse(desk.dataset.classes);
  var api = base + '/api/v1/campaigns/' + encodeURIComponent(campaign) + '/queue/';
  var place = 'activesynth.outbox.' + campaign + '.' + desk.dataset.annotator + '.';
  var AHEAD = 8, GRID = 24, WAIT = 2000, LOOK = 4000, SURE = 5000;
  function get(id) { return document.getElementById(id); }
  var items = [], at = 0, typed = '', busy = false, timer = null, fetching = false, again = null;
  var outbox = read(), given = [], mode = 'one', marked = {}, count = 0, epoch = 0;

  // An entry has a key of its own: two tabs of one person do not overwrite each other's.
  function read() {
    var found = [];
    try {
      for (var n = 0; n < localStorage.length; n += 1) {
        var key = localStorage.key(n);
        if (key.indexOf(place) === 0) { found.push(JSON.parse(localStorage.getItem(key))); }
      }
    } catch (error) { /* memory keeps them */ }
    return found.sort(function (one, other) { return one.key < other.key ? -1 : 1; });
  }
  function keep(entry) {
    try { localStorage.setItem(entry.key, JSON.stringify(entry)); entry.kept = true; } catch (error) { entry.kept = false; }
  }
  function drop(entry) {
    try { localStorage.removeItem(entry.key); } catch (error) { /* it was never there */ }
  }
  function isSent(entry) {  // by another tab
    try { return entry.kept && localStorage.getItem(entry.key) === null; } catch (error) { return false; }
  }
  function alone(work) {
    return navigator.locks ? navigator.locks.request(place, work) : work();
  }
  function isSecond() { return get('second').checked; }
  function picture(item) {
    return base + '/campaigns/' + encodeURIComponent(campaign) + '/pictures/' + encodeURIComponent(item.sample);
  }
  function name(label) { return label === null || label === undefined ? 'none' : String(classes[label] || label); }
  function post(path, body) {
    return fetch(api + path, {method: 'POST', credentials: 'same-origin', body: JSON.stringify(body),
      headers: {'Content-Type': 'application/json', 'X-Activesynth': '1',
        'X-Activesynth-Annotator': encodeURIComponent(desk.dataset.annotator)}})
      .then(function (answer) {
        return answer.json().catch(function () { return {error: {message: 'the server answered ' + answer.status}}; })
          .then(function (found) {
            if (answer.ok) { return found; }
            var error = new Error(found.error ? found.error.message : 'the server answered ' + answer.status);
            error.status = answer.status;
            throw error;
          });
      });
  }

  // The outbox: in order, one at a time. What the server refuses is shown and never sent elsewhere.
  function enqueue(kind, body, item) {
    count += 1;
    var entry = {kind: kind, body: body, item: item,
      key: place + String(Date.now()).padStart(15, '0') + '.' + String(count).padStart(6, '0') + '.' + Math.random()};
    outbox.push(entry);
    keep(entry);
    said();
    pump();
  }
  function done(entry) {
    outbox.shift();
    drop(entry);
  }
  function send(next) {
    if (isSent(next)) { outbox.shift(); return Promise.resolve(); }
    return post(next.kind, next.body).then(function (found) {
      done(next);
      far(found.progress);
    }).catch(function (error) {
      // No status: the connection. 5xx, 401, 403, 408, 429: kept, and offered again.
      if (!error.status || error.status >= 500 || [401, 403, 408, 429].indexOf(error.status) >= 0) {
        trouble('Not saved yet: ' + (error.status ? error.message : 'the server does not answer') + ' Trying again.');
        throw error;
      }
      done(next);
      conflict(next, error.message);
    });
  }
  function pump() {
    if (busy || !outbox.length) { return; }
    busy = true;
    clearTimeout(timer);
    alone(function () { return send(outbox[0]); }).then(function () {
      busy = false;
      said();
      if (outbox.length) { pump(); } else { trouble(''); }
    }, function () {
      busy = false;
      said();
      timer = setTimeout(pump, WAIT);
    });
  }
  function said() {
    get('saved').textContent = outbox.length ? 'Saving: ' + outbox.length + ' to go' :
      (given.length ? 'Everything is saved' : 'Nothing answered yet');
    get('saved').className = outbox.length ? 'waiting' : 'good';
    desk.dataset.unsaved = outbox.length;
  }
  function trouble(text) { get('waiting').textContent = text; }
  function conflict(entry, message) {
    var line = document.createElement('p');
    line.textContent = 'Not saved (' + (entry.body.action || 'undo') + ' for sample ' + String(entry.item.sample).slice(0, 12) +
      '): ' + message + ' ';
    var link = document.createElement('a');
    link.textContent = 'Look at the sample';
    link.href = base + '/campaigns/' + encodeURIComponent(campaign) + '/samples/' + encodeURIComponent(entry.item.sample);
    line.appendChild(link);
    get('trouble').appendChild(line);
    given = given.filter(function (one) { return one.id !== entry.body.item; });
  }
  function far(progress) {
    if (!progress) { return; }
    var all = progress.open + progress.answered;
    get('bar').value = all ? progress.answered / all : 0;
    var left = progress.seconds_left === null ? '' : ', about ' + Math.ceil(progress.seconds_left / 60) + ' min left';
    get('far').textContent = progress.answered + ' of ' + all + ' answered' + left +
      (progress.claimed ? ', ' + progress.claimed + ' with others' : '');
  }

  function load(isNew) {
    if (fetching) { again = again || isNew; return; }
    fetching = true;
    again = null;
    var second = isSecond(), mine = epoch;
    post('next', {limit: mode === 'grid' ? GRID : AHEAD, second: second}).then(function (found) {
      fetching = false;
      if (mine !== epoch) { load(true); return; }  // another mode was chosen meanwhile
      trouble(outbox.length ? get('waiting').textContent : '');
      far(found.progress);
      found.items.forEach(function (item) { item.second = second; });
      // What is answered here, and not on record yet or just now, would come back as open.
      var known = {};
      outbox.forEach(function (entry) { known[entry.body.item] = true; });
      given.forEach(function (item) { known[item.id] = item.version; });
      if (isNew) { items = []; at = 0; }
      items.forEach(function (item) { known[item.id] = item.version; });
      found.items.forEach(function (item) {
        if (known[item.id] !== true && known[item.id] !== item.version) { items.push(item); }
      });
      if (again !== null) { load(again); return; }
      if (!isShowing()) { show(); }
    }).catch(function (error) {
      fetching = false;
      trouble('Not loaded: ' + error.message + ' Trying again.');
      setTimeout(function () { load(isNew); }, WAIT);
    });
  }
  // What is on the screen stays there until it is answered or left.
  function isShowing() {
    return mode === 'grid' ? get('tiles').querySelector('figure') !== null : Boolean(desk.dataset.item);
  }
  function preload() {
    items.slice(at + 1, at + AHEAD).forEach(function (item) { new Image().src = picture(item); });
  }
  function show() {
    if (mode === 'grid') { tiles(); return; }
    var item = items[at];
    desk.dataset.item = item ? item.id : '';
    get('picture').hidden = !item;
    get('nothing').textContent = item ? '' : (fetching ? 'Loading.' :
      'No questions are open for you. Answers that others hold come back when they leave them.');
    get('labels').replaceChildren();
    get('question').textContent = '';
    if (!item) { return; }
    get('picture').hidden = false;
    get('nothing').textContent = '';
    get('picture').src = picture(item);
    get('picture').alt = 'sample ' + item.sample.slice(0, 12);
    var asked = {label: 'Which class is it?', review: 'Is it what it was made to be: ', recheck: 'It trains as '};
    get('question').textContent = asked[item.kind] + (item.kind === 'review' ? name(item.proposed) + '?' : '') +
      (item.kind === 'recheck' ? name(item.proposed) + ', which is doubted. Which class is it?' : '');
    classes.forEach(function (text, label) {
      var button = document.createElement('button');
      button.type = 'button';
      button.textContent = String(label) === text ? text : label + ' ' + text;
      if (label === item.proposed) { button.className = 'proposed'; }
      button.addEventListener('click', function () { decide(label); });
      get('labels').appendChild(button);
    });
    preload();
  }

  function decide(label, action) {
    var item = items[at];
    if (!item) { return; }
    if (desk.dataset.blind === item.id && action !== 'skip') {
      get('question').textContent = 'Nobody can judge what is not shown. Skip it.';
      return;
    }
    var chosen = action || (label === item.proposed ? 'accept' : 'relabel');
    items.splice(at, 1);
    answer(item, chosen, action ? null : label);
    if (at >= items.length && at > 0 && items.length) { at = items.length - 1; }
    if (items.length < AHEAD / 2) { load(false); }
    show();
  }
  function answer(item, action, label) {
    given.push(item);
    enqueue('answers', {item: item.id, sample: item.sample, version: item.version, action: action,
      label: label, second: item.second}, item);
  }
  function undo() {
    var last = given.pop();
    if (!last) { get('question').textContent = 'There is nothing of yours to take back here.'; return; }
    enqueue('undo', last.second ? {item: last.id, second: true} : {item: last.id, version: last.version}, last);
    // An answer and taking it back are two versions; of a blind question the version is not shown.
    items.splice(at, 0, Object.assign({}, last, {version: last.second ? 0 : last.version + 2}));
    show();
  }
  function help() {
    get('help').hidden = !get('help').hidden;
    document.querySelector('[data-key="?"]').setAttribute('aria-expanded', String(!get('help').hidden));
  }
  function move(by) {
    at = Math.max(0, Math.min(items.length - 1, at + by));
    show();
  }
  function press(key) {
    if (key === '?') { help(); return true; }
    if (key === 'u') { undo(); return true; }
    if (mode === 'grid') { return pressGrid(key); }
    if (key === 'ArrowLeft') { move(-1); return true; }
    if (key === 'ArrowRight') { move(1); return true; }
    var item = items[at];
    if (!item) { return false; }
    if (/^[0-9]$/.test(key)) {
      if (classes.length <= 10) { if (Number(key) < classes.length) { decide(Number(key)); } return true; }
      typed += key;
      get('question').textContent = 'Class ' + typed + (classes[Number(typed)] ? ' ' + classes[Number(typed)] : '') + ', then Enter';
      return true;
    }
    if (key === 'Enter' && typed) {
      var number = Number(typed);
      typed = '';
      if (number < classes.length) { decide(number); } else { show(); }
      return true;
    }
    if (typed) { typed = ''; show(); return true; }  // half a number and a letter: ask again
    if (key === 'a') {
      if (item.proposed !== null) { decide(item.proposed); } else { get('question').textContent = 'No class is proposed; press its number.'; }
      return true;
    }
    if (key === 'r') { decide(null, 'reject'); return true; }
    if (key === 's') { decide(null, 'skip'); return true; }
    return false;
  }

  // The grid: what has a proposed class, quick to look through.
  function shown() { return items.filter(function (item) { return item.proposed !== null; }).slice(0, GRID); }
  function tiles() {
    var box = get('tiles');
    box.replaceChildren();
    shown().forEach(function (item) {
      var tile = document.createElement('figure'), image = document.createElement('img');
      image.src = picture(item);
      image.alt = name(item.proposed);
      tile.tabIndex = 0;
      tile.dataset.item = item.id;
      tile.setAttribute('role', 'checkbox');
      tile.setAttribute('aria-checked', 'false');
      tile.append(image, document.createElement('br'), name(item.proposed));
      tile.addEventListener('click', function () { mark(tile); });
      if (marked[item.id]) { mark(tile); }
      box.appendChild(tile);
    });
    get('apply').disabled = !box.children.length;
    if (!box.children.length) { box.textContent = 'Nothing with a proposed class is open for you.'; }
    desk.dataset.item = '';
  }
  function mark(tile) {
    var isMarked = tile.classList.toggle('marked');
    tile.setAttribute('aria-checked', String(isMarked));
    marked[tile.dataset.item] = isMarked;
  }
  function apply() {
    var onScreen = {};
    document.querySelectorAll('#tiles figure').forEach(function (tile) { onScreen[tile.dataset.item] = true; });
    var batch = items.filter(function (item) { return onScreen[item.id]; });
    batch.forEach(function (item) {
      answer(item, marked[item.id] ? 'reject' : 'accept', marked[item.id] ? null : item.proposed);
    });
    var done = {};
    batch.forEach(function (item) { done[item.id] = true; });
    items = items.filter(function (item) { return !done[item.id]; });
    tiles();
    load(false);
  }
  function pressGrid(key) {
    var all = Array.from(document.querySelectorAll('#tiles figure'));
    if (key === 'Enter') { if (all.length) { apply(); } return true; }
    if (!all.length) { return false; }
    var here = all.indexOf(document.activeElement);
    if (key === ' ') { if (here >= 0) { mark(all[here]); } return true; }
    var step = {ArrowLeft: -1, ArrowRight: 1}[key];
    if (step) { all[Math.max(0, Math.min(all.length - 1, here + step))].focus(); return true; }
    return false;
  }

  // Twice within seconds, as the iteration goes on without what nobody answered.
  function finish() {
    var button = get('finish');
    if (!button.dataset.sure) {
      button.dataset.sure = 'yes';
      button.textContent = 'Really go on without what is open?';
      setTimeout(function () { delete button.dataset.sure; button.textContent = 'Finish early'; }, SURE);
      return;
    }
    if (outbox.length) { get('finished').textContent = 'First your answers are saved; then try again.'; pump(); return; }
    post('finish', {}).then(function (found) {
      get('finished').textContent = 'The run goes on within a minute; ' + found.missing + ' questions have no answer.';
      anew();
    }).catch(function (error) { get('finished').textContent = 'Not finished: ' + error.message; });
  }
  function choose(next) {
    mode = next;
    get('one').setAttribute('aria-pressed', String(mode === 'one'));
    get('grid').setAttribute('aria-pressed', String(mode === 'grid'));
    get('single').hidden = mode !== 'one';
    get('many').hidden = mode !== 'grid';
    anew();
  }
  function anew() {  // nothing of the mode before may be answered in this one
    epoch += 1;
    items = [];
    at = 0;
    marked = {};
    typed = '';
    show();
    load(true);
  }
  document.addEventListener('keydown', function (event) {
    if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) { return; }
    if (event.target.matches('input, select, textarea')) { return; }
    if (event.key === 'Enter' && event.target.matches('button, a')) { return; }
    if (event.key === ' ' && event.target.matches('button, a')) { return; }
    if (press(event.key.length === 1 ? event.key.toLowerCase() : event.key)) { event.preventDefault(); }
  });
  document.querySelectorAll('[data-key]').forEach(function (button) {
    button.addEventListener('click', function () { press(button.dataset.key); button.blur(); });
  });
  get('one').addEventListener('click', function () { choose('one'); });
  get('grid').addEventListener('click', function () { choose('grid'); });
  // The connection may be lost or the sample erased: asked for again, and meanwhile only skipped.
  get('picture').addEventListener('error', function () {
    var item = items[at];
    if (!item) { return; }
    desk.dataset.blind = item.id;
    get('picture').hidden = true;
    get('nothing').textContent = 'The picture of this sample does not load; it may have been erased. Trying again; or skip it.';
    setTimeout(function () { if (items[at] === item && mode === 'one') { get('picture').src = picture(item) + '?again=' + Date.now(); } }, WAIT);
  });
  get('picture').addEventListener('load', function () {
    desk.dataset.blind = '';
    get('picture').hidden = !items[at];
    get('nothing').textContent = '';
  });
  get('apply').addEventListener('click', apply);
  get('finish').addEventListener('click', finish);
  get('second').addEventListener('change', function () { get('second').blur(); anew(); });
  window.addEventListener('online', pump);
  window.addEventListener('beforeunload', function (event) { if (outbox.length) { event.preventDefault(); } });
  setInterval(function () { if (!isShowing() && !outbox.length) { load(false); } }, LOOK);
  said();
  pump();
  load(true);
})();
