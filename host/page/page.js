// What the page does beyond being read: values under the pointer, hiding, highlighting and renaming by pattern, export of
// figures, all settings in the address. Without it the page says the same. Texts of the data are only ever put in as text.
'use strict';
(() => {
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, properties = {}, ...children) => {
    const node = Object.assign(document.createElement(tag), properties);
    node.append(...children);
    return node;
  };

  // ---- settings: the address is where they are kept ----

  const settings = {highlight: '', hide: '', rename: '', at: ''};

  function readAddress() {
    const text = location.hash.slice(1);
    for (const key in settings) settings[key] = '';
    if (!text.includes('=')) settings.at = text;
    else for (const [key, value] of new URLSearchParams(text)) if (key in settings) settings[key] = value;
  }

  function writeAddress() {
    const kept = Object.entries(settings).filter(([, value]) => value);
    const plain = kept.length === 1 && kept[0][0] === 'at';
    history.replaceState(null, '', '#' + (plain ? settings.at : new URLSearchParams(kept)));
  }

  // A pattern is a regular expression, case aside; what is none is looked for as it stands.
  function pattern(text) {
    if (!text) return null;
    try {
      return new RegExp(text, 'i');
    } catch {
      return new RegExp(text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), 'i');
    }
  }

  // One replacement a line: pattern => text, in which $1 is a group.
  function renamer(text) {
    const rules = text.split('\n').map(line => line.split('=>'))
        .filter(([from, to]) => from.trim() && to !== undefined)
        .map(([from, to]) => [pattern(from.trim()), to.trim()]);
    return name => rules.reduce((now, [from, to]) => now.replace(new RegExp(from, 'gi'), to), name);
  }

  // ---- hide, highlight, rename ----

  const original = new WeakMap(); // of a text node's element, before it was renamed

  function nameOf(element) {
    if (!original.has(element)) original.set(element, element.textContent);
    return original.get(element);
  }

  function rename(element, to) {
    const name = nameOf(element), renamed = to(name);
    if (element.textContent !== renamed) element.textContent = renamed;
  }

  // Names and the elements that stand for them: series and their legend, categories with their marks.
  function partsOf(svg) {
    const parts = $$('.s, .k', svg).map(g => [g.dataset.s, [g]]);
    for (const label of $$('.d', svg))
      parts.push([nameOf(label.firstElementChild), $$(`[data-r="${label.dataset.r}"]`, svg)]);
    return parts;
  }

  // Rows of tables by their heading, else by the names in their first two cells.
  function rowsOf(table) {
    return $$('tbody tr', table).map(row => {
      const heads = $$('th', row), cells = heads.length ? heads : [...row.cells].slice(0, 2);
      return [cells.map(cell => cell.childElementCount ? cell.textContent : nameOf(cell)).join('\t'), [row], cells];
    });
  }

  // What stands out is what is called so, with all that is in it and the series that it is in.
  function show(parts, hide, highlight) {
    const lit = new Set(), hidden = new Set(), series = new Set();
    for (const [name, elements] of parts) {
      for (const element of elements) {
        if (hide && hide.test(name)) hidden.add(element);
        if (!highlight || !highlight.test(name)) continue;
        const within = element.closest('.s');
        lit.add(element).add(within);
        if (within) series.add(within.dataset.s);
        $$('[data-r]', element).forEach(mark => lit.add(mark));
      }
    }
    for (const [, elements] of parts) {
      for (const element of elements) {
        const out = lit.has(element) || (element.matches('.k') && series.has(element.dataset.s));
        element.style.display = hidden.has(element) ? 'none' : '';
        element.classList.toggle('dim', lit.size > 0 && !out);
      }
    }
  }

  function apply() {
    const hide = pattern(settings.hide), highlight = pattern(settings.highlight), to = renamer(settings.rename);
    for (const svg of $$('svg.plumb')) {
      show(partsOf(svg), hide, highlight);
      for (const text of $$('.k text, .d text', svg)) rename(text, to);
    }
    for (const table of $$('table')) {
      const rows = rowsOf(table);
      show(rows, hide, highlight);
      for (const [, , cells] of rows) for (const cell of cells) if (!cell.childElementCount) rename(cell, to);
    }
    document.dispatchEvent(new Event('plumb'));
  }

  // ---- values under the pointer and under the arrow keys ----

  const hint = make('div', {className: 'hint', hidden: true});
  hint.setAttribute('role', 'status');
  let marked = null;

  function unmark() {
    if (!marked) return;
    marked.title.textContent = marked.text; // the browser's own hint is kept away meanwhile
    marked.group.classList.remove('hot');
    marked = null;
    hint.hidden = true;
  }

  function mark(group, x, y) {
    if (marked && marked.group === group) return place(x, y);
    unmark();
    const title = group && group.querySelector(':scope > title');
    if (!title) return;
    marked = {group, title, text: title.textContent};
    title.textContent = '';
    group.classList.add('hot');
    say(marked.text, x, y);
  }

  function say(text, x, y) {
    hint.textContent = renamer(settings.rename)(text);
    hint.hidden = false;
    place(x, y);
  }

  function place(x, y) {
    const box = hint.getBoundingClientRect();
    hint.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 8)) + 'px';
    hint.style.top = Math.max(4, y + 18 + box.height > innerHeight ? y - box.height - 10 : y + 18) + 'px';
  }

  const marksOf = svg => $$('.s g', svg).filter(g => g.querySelector(':scope > title') && g.style.display !== 'none');
  const middleOf = element => {
    const box = element.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };

  // The mark under the pointer, else the nearest one within some pixels.
  function nearest(svg, x, y) {
    let best = null, least = 18;
    for (const group of marksOf(svg)) {
      const [mx, my] = middleOf(group.querySelector('.p') || group), far = Math.hypot(mx - x, my - y);
      if (far < least) [best, least] = [group, far];
    }
    return best;
  }

  function watch(svg) {
    svg.addEventListener('pointermove', event => {
      const under = event.target.closest('.s g');
      mark(under && under.querySelector(':scope > title') ? under : nearest(svg, event.clientX, event.clientY),
           event.clientX, event.clientY);
    });
    svg.addEventListener('pointerleave', unmark);
    svg.tabIndex = 0;
    svg.addEventListener('blur', unmark);
    svg.addEventListener('keydown', event => {
      const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
      if (event.key === 'Escape') return unmark();
      if (!step) return;
      event.preventDefault();
      const marks = marksOf(svg), at = marked ? marks.indexOf(marked.group) : -1;
      const next = marks[(at + step + marks.length) % marks.length];
      if (next) mark(next, ...middleOf(next));
    });
  }

  // ---- cells: unpacked when they are opened ----

  const STEP = 50; // items that are put in at once

  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))).json();
  }

  function answersOf(answers) {
    const rows = answers.map(([text, ids, values]) => [text, ids.join(' '), values.join(' '),
                                                      values.length ? values.reduce((a, v) => a + +v, 0).toFixed(4) : '']);
    const cells = (tag, row) => make('tr', {}, ...row.map(text => make(tag, {textContent: text ?? ''})));
    return make('table', {}, make('thead', {}, cells('th', ['answer', 'token ids', 'log-probabilities', 'sum'])),
                make('tbody', {}, ...rows.map(row => cells('td', row))));
  }

  function itemOf([id, label, prediction, right, prompt, answers, own]) {
    const says = `item ${id}: ${label ?? 'no label'}; answered ${prediction ?? 'nothing'}${right ? '' : ', wrong'}`;
    const item = make('details', {className: right ? 'item' : 'item wrong'}, make('summary', {textContent: says}));
    const ids = own ? [make('p', {className: 'ids', textContent: `token ids behind description and shots: ${own.join(' ')}`})] : [];
    item.addEventListener('toggle', () => item.append(make('pre', {textContent: prompt ?? ''}), ...ids, answersOf(answers)),
                          {once: true});
    return item;
  }

  async function openCell(cell) {
    const items = await unpack(cell.querySelector('script').textContent);
    const wrong = make('input', {type: 'checkbox'}), list = make('div'), more = make('button', {type: 'button', textContent: 'More'});
    let kept = items, at = 0;
    const next = () => {
      list.append(...kept.slice(at, at + STEP).map(itemOf));
      at += STEP;
      more.hidden = at >= kept.length;
    };
    more.onclick = next;
    wrong.onchange = () => {
      [kept, at] = [items.filter(item => !wrong.checked || !item[3]), 0];
      list.replaceChildren();
      next();
    };
    cell.append(make('label', {}, wrong, ' wrong ones only'), list, more);
    next();
  }

  // ---- export ----

  function save(name, blob) {
    const link = make('a', {href: URL.createObjectURL(blob), download: name});
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  }

  function svgText(svg) {
    unmark();
    const copy = svg.cloneNode(true);
    copy.removeAttribute('tabindex');
    $$('.dim', copy).forEach(element => element.setAttribute('opacity', '.15'));
    return new XMLSerializer().serializeToString(copy);
  }

  function savePng(svg, name) {
    const image = new Image(), scale = 2;
    image.onload = () => {
      const canvas = make('canvas', {width: svg.width.baseVal.value * scale, height: svg.height.baseVal.value * scale});
      canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(blob => save(name, blob));
    };
    image.src = 'data:image/svg+xml;charset=utf-8,' + encodeURIComponent(svgText(svg));
  }

  function csvField(text) {
    const risky = /^[=+@-]/.test(text) && isNaN(text);
    return /[",\n]/.test(text) || risky ? `"${risky ? "'" : ''}${text.replace(/"/g, '""')}"` : text;
  }

  function csvText(table) {
    return [...table.rows].filter(row => row.style.display !== 'none')
        .map(row => [...row.cells].map(cell => csvField(cell.dataset.v ?? cell.textContent)).join(',') + '\n').join('');
  }

  function addButtons(figure) {
    const svg = figure.querySelector('svg'), table = figure.querySelector('table'), name = figure.id;
    const button = (text, run) => make('button', {type: 'button', textContent: text, onclick: run,
                                                  ariaLabel: `${text} of ${svg.getAttribute('aria-label')}`});
    figure.append(make('p', {className: 'export'},
        button('SVG', () => save(name + '.svg', new Blob([svgText(svg)], {type: 'image/svg+xml'}))),
        button('PNG', () => savePng(svg, name + '.png')),
        button('CSV', () => save(name + '.csv', new Blob([csvText(table)], {type: 'text/csv'})))));
  }

  // ---- the toolbox ----

  function addToolbox() {
    const fields = {};
    const row = (key, tag, label, placeholder) => {
      fields[key] = make(tag, {placeholder, spellcheck: false, value: settings[key]});
      fields[key].addEventListener('input', () => {
        settings[key] = fields[key].value;
        writeAddress();
        apply();
      });
      return make('label', {}, label, fields[key]);
    };
    const clear = make('button', {type: 'button', textContent: 'Clear', onclick: () => {
      for (const key in fields) settings[key] = fields[key].value = '';
      writeAddress();
      apply();
    }});
    const box = make('details', {className: 'toolbox'}, make('summary', {textContent: 'Tools'}),
        row('highlight', 'input', 'Highlight arms, wordings', 'finetune|k=8'),
        row('hide', 'input', 'Hide', 'linear'),
        row('rename', 'textarea', 'Rename, one a line', 'finetune lm => tuned'),
        make('small', {textContent: 'Patterns are regular expressions. Settings are kept in the address.'}), clear);
    box.open = Boolean(settings.highlight || settings.hide || settings.rename);
    document.body.append(box);
    return () => {
      for (const key in fields) fields[key].value = settings[key];
    };
  }

  function goTo(id) {
    const target = id && document.getElementById(id);
    if (!target) return;
    for (let at = target.parentElement; at; at = at.parentElement) if (at.tagName === 'DETAILS') at.open = true;
    target.scrollIntoView();
  }

  // What map.js shares with this page; an event 'plumb' tells it of other settings.
  window.plumb = {
    make, unpack, save, csvField,
    hint: {show: say, hide: () => hint.hidden = true},
    rules: () => ({hide: pattern(settings.hide), highlight: pattern(settings.highlight), to: renamer(settings.rename)}),
  };

  readAddress();
  document.body.append(hint);
  $$('svg.plumb').forEach(watch);
  $$('figure:not(.map)').forEach(addButtons);
  $$('.cell').forEach(cell => cell.addEventListener('toggle', () => openCell(cell), {once: true}));
  const refill = addToolbox();
  addEventListener('hashchange', () => {
    readAddress();
    refill();
    apply();
    goTo(settings.at);
  });
  document.addEventListener('click', event => {
    const link = event.target.closest('a[href^="#"]');
    if (!link) return;
    event.preventDefault();
    settings.at = link.getAttribute('href').slice(1);
    writeAddress();
    goTo(settings.at);
  });
  if (settings.highlight || settings.hide || settings.rename) apply();
  goTo(settings.at);
})();
