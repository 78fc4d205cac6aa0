// Light or dark as Airflow's own pages are, whose choice lies in this origin's storage.
(function () {
  'use strict';
  var dark = window.matchMedia('(prefers-color-scheme: dark)');
  function chosen() {
    var value = null;
    try { value = localStorage.getItem('theme'); } catch (error) { value = null; }
    if (value === 'light' || value === 'dark') { return value; }
    return dark.matches ? 'dark' : 'light';
  }
  function apply() {
    if (document.documentElement.dataset.theme === chosen()) { return; }
    document.documentElement.dataset.theme = chosen();
    document.dispatchEvent(new Event('theme'));
  }
  apply();
  window.addEventListener('storage', apply);
  dark.addEventListener('change', apply);
})();
