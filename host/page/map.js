// Maps of states: points on a 2-D canvas, all panels of a layer side by side. A panel's points are drawn once, as a picture;
// while it is moved the picture is, so that a frame takes a few calls for any number of points, and they are drawn anew when
// it rests. Points are unpacked when the reader comes to them. Texts of the data are only ever put in as text.
'use strict';
(() => {
  const {make, unpack, save, csvField, hint, rules} = window.plumb;
  const STEPS = 10000;      // places of a panel, each way
  const GAP = 16, HEAD = 20; // pixels between panels, and above them
  const REACH = 10;         // pixels from the pointer to a point
  const REST = 100;         // milliseconds without a move

  // Corners of a template's mark around 0, 0; the first is a circle. The second eight templates have the same ones, not filled; colours
  // of labels repeat after 8.
  const SHAPES = [null, [-1.8, -1.8, 1.8, -1.8, 1.8, 1.8, -1.8, 1.8], [0, -2.6, 2.6, 0, 0, 2.6, -2.6, 0], [0, -2.4, 2.3, 1.7, -2.3, 1.7],
    [0, 2.4, 2.3, -1.7, -2.3, -1.7],
    [-0.8, -2.4, 0.8, -2.4, 0.8, -0.8, 2.4, -0.8, 2.4, 0.8, 0.8, 0.8, 0.8, 2.4, -0.8, 2.4, -0.8, 0.8, -2.4, 0.8, -2.4, -0.8, -0.8, -0.8],
    [1.13, -2.26, 2.26, -1.13, 1.13, 0, 2.26, 1.13, 1.13, 2.26, 0, 1.13, -1.13, 2.26, -2.26, 1.13, -1.13, 0, -2.26, -1.13, -1.13, -2.26, 0, -1.13],
    [0, -2.9, 0.71, -0.97, 2.76, -0.9, 1.14, 0.37, 1.7, 2.35, 0, 1.2, -1.7, 2.35, -1.14, 0.37, -2.76, -0.9, -0.71, -0.97]];
  const cornersOf = template => SHAPES[template % SHAPES.length];
  const isFilled = template => Math.floor(template / SHAPES.length) % 2 === 0;
  const SVG = 'http://www.w3.org/2000/svg';
  const lookOf = (template, colour) => `${isFilled(template) ? 'fill' : 'fill="none" stroke'}="${colour}"`;
  const pathOf = template => cornersOf(template) ? `M${cornersOf(template).join(' ')}z` : 'M-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z';

  function sample(template, colour) {
    const picture = document.createElementNS(SVG, 'svg'), path = document.createElementNS(SVG, 'path');
    picture.setAttribute('viewBox', '-3.2 -3.2 6.4 6.4');
    path.setAttribute('d', pathOf(template));
    path.setAttribute('fill', isFilled(template) ? colour : 'none');
    path.setAttribute('stroke', isFilled(template) ? 'none' : colour);
    picture.append(path);
    return picture;
  }

  // As the figures' style has them, light or dark: 8 of labels, then the ink.
  function coloursNow() {
    const probe = document.createElementNS(SVG, 'svg'), found = [];
    probe.setAttribute('class', 'plumb');
    document.body.append(probe);
    for (let c = 0; c < 8; c++) {
      const group = document.createElementNS(SVG, 'g');
      group.setAttribute('class', 'c' + c);
      probe.append(group);
      found.push(getComputedStyle(group).color);
    }
    probe.remove();
    return {labels: found, ink: getComputedStyle(document.body).color};
  }

  function start(figure, data) {
    const n = data.items.length, count = n * data.templates.length;
    const itemOf = p => p % n, templateOf = p => Math.floor(p / n), labelOf = p => data.colour[itemOf(p)];
    const canvas = make('canvas', {tabIndex: 0}), context = canvas.getContext('2d');
    const caption = make('p', {className: 'legend'}), legend = make('p', {className: 'legend'});
    let layer, panels, size, scale, colours, faint, shows, hot = -1, timer = 0, asked = 0, drag = null;

    // ---- controls ----

    const choose = make('select', {ariaLabel: 'layer'}, ...data.layers.map((l, i) => make('option', {value: i, textContent: 'layer ' + l.layer})));
    const join = make('input', {type: 'checkbox'}), only = make('input', {type: 'checkbox'});
    const button = (text, run) => make('button', {type: 'button', textContent: text, onclick: run,
                                                  ariaLabel: `${text} of the map`});
    const nameNow = () => layer.file;
    const controls = make('p', {className: 'export'}, data.layers.length > 1 ? choose : '',
        make('label', {}, join, " join an item's wordings "), make('label', {}, only, ' only points to be trusted '),
        button('+', () => zoomAll(1.5)), button('\u2212', () => zoomAll(1 / 1.5)), button('Whole', reset),
        button('SVG', () => save(nameNow() + '.svg', new Blob([svgText()], {type: 'image/svg+xml'}))),
        button('PNG', () => canvas.toBlob(blob => save(nameNow() + '.png', blob))),
        button('CSV', () => save(nameNow() + '.csv', new Blob([csvText()], {type: 'text/csv'}))));

    // ---- where a point is, in pixels of its panel ----

    const xOf = (panel, p) => (panel.at[2 * p] / STEPS - 0.5) * 0.95 * size * panel.view.zoom + size / 2 + panel.view.x;
    const yOf = (panel, p) => (0.5 - panel.at[2 * p + 1] / STEPS) * 0.95 * size * panel.view.zoom + size / 2 + panel.view.y;
    const isPlaced = (panel, p) => panel.at[2 * p] >= 0 && panel.at[2 * p + 1] >= 0;
    const leftOf = index => index * (size + GAP);

    // ---- what is shown: 0 not, 1 dim, 2 ----

    function judge() {
      const {hide, highlight} = rules(), kinds = new Map();
      shows = new Uint8Array(count);
      for (let p = 0; p < count; p++) {
        const name = `${data.labels[labelOf(p)] ?? 'no label'}\t${data.templates[templateOf(p)]}`;
        if (!kinds.has(name)) kinds.set(name, hide && hide.test(name) ? 0 : highlight && !highlight.test(name) ? 1 : 2);
        shows[p] = only.checked && faint[p] ? 0 : kinds.get(name);
      }
    }

    // ---- drawing ----

    function trace(target, template, x, y, by) {
      const corners = cornersOf(template);
      target.beginPath();
      if (!corners) target.arc(x, y, 2 * by, 0, 2 * Math.PI);
      else for (let i = 0; i < corners.length; i += 2) target.lineTo(x + by * corners[i], y + by * corners[i + 1]);
      target.closePath();
    }

    const colourOf = p => labelOf(p) < 0 ? colours.ink : colours.labels[labelOf(p) % 8];
    const opacityOf = p => (shows[p] === 1 ? 0.12 : 1) * (faint[p] ? 0.22 : 1);

    function stampOf(stamps, p) {
      const key = `${labelOf(p)} ${templateOf(p)} ${opacityOf(p)}`;
      if (stamps.has(key)) return stamps.get(key);
      const side = Math.ceil(8 * scale), stamp = make('canvas', {width: side, height: side}), to = stamp.getContext('2d');
      to.globalAlpha = opacityOf(p);
      to.fillStyle = to.strokeStyle = colourOf(p);
      to.lineWidth = scale;
      trace(to, templateOf(p), side / 2, side / 2, scale * (count < 10000 ? 1.3 : 1));
      if (isFilled(templateOf(p))) to.fill();
      else to.stroke();
      stamps.set(key, stamp);
      return stamp;
    }

    function joinItem(to, panel, item) {
      to.beginPath();
      for (let p = item; p < count; p += n) if (shows[p] && isPlaced(panel, p)) to.lineTo(xOf(panel, p), yOf(panel, p));
      to.stroke();
    }

    function paint(panel) {
      const to = panel.picture.getContext('2d'), stamps = new Map(), half = Math.ceil(8 * scale) / 2 / scale;
      to.setTransform(scale, 0, 0, scale, 0, 0);
      to.clearRect(0, 0, size, size);
      to.strokeStyle = colours.ink;
      to.lineWidth = 0.5;
      to.globalAlpha = 0.25;
      if (join.checked) for (let item = 0; item < n; item++) joinItem(to, panel, item);
      to.globalAlpha = 1;
      for (const pass of [1, 0]) { // those that can be trusted on top
        for (let p = 0; p < count; p++) {
          if (!shows[p] || faint[p] !== pass || !isPlaced(panel, p)) continue;
          const x = xOf(panel, p), y = yOf(panel, p);
          if (x > -5 && y > -5 && x < size + 5 && y < size + 5) to.drawImage(stampOf(stamps, p), x - half, y - half, 2 * half, 2 * half);
        }
      }
      panel.painted = {...panel.view};
    }

    function showHot(panel) {
      if (hot < 0) return;
      context.strokeStyle = colours.ink;
      context.lineWidth = 1;
      joinItem(context, panel, itemOf(hot));
      context.lineWidth = 2;
      trace(context, 0, xOf(panel, hot), yOf(panel, hot), 3);
      context.stroke();
    }

    function frame() {
      asked = 0;
      context.setTransform(scale, 0, 0, scale, 0, 0);
      context.clearRect(0, 0, canvas.width, canvas.height);
      context.font = '13px system-ui,sans-serif';
      panels.forEach((panel, index) => {
        const by = panel.view.zoom / panel.painted.zoom;
        context.save();
        context.translate(leftOf(index), HEAD);
        context.fillStyle = colours.ink;
        context.fillText(panel.name, 0, -6, size);
        context.strokeStyle = '#8e8e93';
        context.strokeRect(0.5, 0.5, size - 1, size - 1);
        context.beginPath();
        context.rect(0, 0, size, size);
        context.clip();
        context.drawImage(panel.picture, size / 2 + panel.view.x - (size / 2 + panel.painted.x) * by,
                          size / 2 + panel.view.y - (size / 2 + panel.painted.y) * by, size * by, size * by);
        showHot(panel);
        context.restore();
      });
    }

    const ask = () => {
      if (!asked) asked = requestAnimationFrame(frame);
    };
    function moved() {
      ask();
      clearTimeout(timer);
      timer = setTimeout(() => {
        for (const panel of panels) if (['x', 'y', 'zoom'].some(key => panel.view[key] !== panel.painted[key])) paint(panel);
        ask();
      }, REST);
    }

    function again() {
      colours = coloursNow();
      judge();
      panels.forEach(paint);
      putLegend();
      ask();
    }

    function layOut() {
      const room = Math.min(figure.parentElement.clientWidth - 24, 1240);
      size = Math.max(120, Math.floor((room - GAP * (panels.length - 1)) / panels.length));
      size = Math.min(size, 440);
      scale = window.devicePixelRatio || 1;
      const width = panels.length * (size + GAP) - GAP, height = size + HEAD;
      Object.assign(canvas, {width: Math.round(width * scale), height: Math.round(height * scale)});
      Object.assign(canvas.style, {width: width + 'px', height: height + 'px'});
      for (const panel of panels) panel.picture.width = panel.picture.height = Math.round(size * scale);
      again();
    }

    function open() {
      layer = data.layers[+choose.value || 0];
      panels = layer.panels.map(([name, at]) => ({name, at, picture: make('canvas'), view: {x: 0, y: 0, zoom: 1}, painted: {x: 0, y: 0, zoom: 1}}));
      faint = new Uint8Array(count);
      for (const p of layer.faint) faint[p] = 1;
      caption.textContent = layer.caption;
      canvas.setAttribute('role', 'img');
      canvas.setAttribute('aria-label', `Map. ${layer.caption} Arrow keys go from point to point.`);
      hot = -1;
      layOut();
    }

    function putLegend() {
      const {to} = rules();
      const entry = (template, colour, name) => make('span', {}, sample(template, colour), ' ', to(name));
      legend.replaceChildren(...data.labels.map((name, l) => entry(1, colours.labels[l % 8], name)), make('br'),
                             ...data.templates.map((name, t) => entry(t, colours.ink, name)));
    }

    // ---- the pointer and keys ----

    function textOf(p) {
      const name = at => data.names[at] ?? 'none';
      return `item ${data.items[itemOf(p)]}, ${data.templates[templateOf(p)]}: label ${name(data.gold[p])}, answered ${name(data.answer[p])}` +
          `${faint[p] ? '; not to be trusted here' : ''}\n${data.texts[itemOf(p)]}`;
    }

    function placeOf(event) {
      const box = canvas.getBoundingClientRect(), by = panels.length * (size + GAP) - GAP;
      const x = (event.clientX - box.x) * by / box.width, y = (event.clientY - box.y) * by / box.width - HEAD;
      const index = Math.min(panels.length - 1, Math.max(0, Math.floor(x / (size + GAP))));
      return [panels[index], x - leftOf(index), y];
    }

    function nearest(panel, x, y) {
      let best = -1, least = REACH * REACH;
      for (let p = 0; p < count; p++) {
        if (!shows[p] || !isPlaced(panel, p)) continue;
        const dx = xOf(panel, p) - x, dy = yOf(panel, p) - y, far = dx * dx + dy * dy;
        if (far < least) [best, least] = [p, far];
      }
      return best;
    }

    function mark(p, x, y) {
      if (p !== hot) ask();
      hot = p;
      if (p < 0) hint.hide();
      else hint.show(textOf(p), x, y);
    }

    function zoomAt(panel, by, x, y) {
      const view = panel.view, zoom = Math.min(200, Math.max(0.5, view.zoom * by)), share = zoom / view.zoom;
      panel.view = {zoom, x: x - size / 2 - (x - size / 2 - view.x) * share, y: y - size / 2 - (y - size / 2 - view.y) * share};
      moved();
    }
    const zoomAll = by => panels.forEach(panel => zoomAt(panel, by, size / 2, size / 2));
    function reset() {
      for (const panel of panels) panel.view = {x: 0, y: 0, zoom: 1};
      moved();
    }

    canvas.addEventListener('pointerdown', event => {
      drag = [placeOf(event)[0], event.clientX, event.clientY];
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener('pointerup', () => drag = null);
    canvas.addEventListener('pointercancel', () => drag = null);
    canvas.addEventListener('pointermove', event => {
      if (!drag) {
        const [panel, x, y] = placeOf(event);
        return mark(nearest(panel, x, y), event.clientX, event.clientY);
      }
      const view = drag[0].view;
      drag[0].view = {zoom: view.zoom, x: view.x + event.clientX - drag[1], y: view.y + event.clientY - drag[2]};
      [drag[1], drag[2]] = [event.clientX, event.clientY];
      mark(-1);
      moved();
    });
    canvas.addEventListener('pointerleave', () => mark(-1));
    canvas.addEventListener('blur', () => mark(-1));
    canvas.addEventListener('dblclick', reset);
    canvas.addEventListener('wheel', event => { // the page scrolls until the map has been clicked
      if (document.activeElement !== canvas) return;
      event.preventDefault();
      const [panel, x, y] = placeOf(event);
      zoomAt(panel, Math.exp(-event.deltaY / 300), x, y);
    }, {passive: false});
    canvas.addEventListener('keydown', event => {
      const step = {ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1}[event.key];
      if (event.key === 'Escape') return mark(-1);
      if (event.key === '+' || event.key === '-') return zoomAll(event.key === '+' ? 1.5 : 1 / 1.5);
      if (event.key === '0') return reset();
      if (!step) return;
      event.preventDefault();
      for (let tried = 0, p = hot < 0 && step < 0 ? 0 : hot; tried < count; tried++) {
        p = (p + step + count) % count;
        if (!shows[p] || !isPlaced(panels[0], p)) continue;
        const box = canvas.getBoundingClientRect();
        return mark(p, box.x + xOf(panels[0], p), box.y + HEAD + yOf(panels[0], p));
      }
    });

    // ---- export: what is seen ----

    function svgText() {
      const text = s => s.replace(/[&<>]/g, c => ({'&': '&amp;', '<': '&lt;', '>': '&gt;'})[c]);
      const parts = panels.map((panel, index) => {
        const points = [];
        for (let p = 0; p < count; p++) {
          const x = xOf(panel, p), y = yOf(panel, p);
          if (!shows[p] || !isPlaced(panel, p) || x < 0 || y < 0 || x > size || y > size) continue;
          const look = `${lookOf(templateOf(p), colourOf(p))} opacity="${opacityOf(p).toFixed(2)}"`;
          points.push(`<path ${look} transform="translate(${x.toFixed(1)} ${y.toFixed(1)})" d="${pathOf(templateOf(p))}"/>`);
        }
        return `<g transform="translate(${leftOf(index)} ${HEAD})"><text y="-6" font-size="13">${text(panel.name)}</text>` +
            `<rect width="${size}" height="${size}" fill="none" stroke="#8e8e93"/>\n${points.join('\n')}</g>\n`;
      });
      return `<svg xmlns="http://www.w3.org/2000/svg" width="${leftOf(panels.length)}" height="${size + HEAD}">\n` +
          `<title>${text(layer.caption)}</title>\n${parts.join('')}</svg>\n`;
    }

    function csvText() {
      const places = panels.flatMap(panel => [1, 2].map(d => `${panel.name} ${d} (of ${STEPS})`));
      const rows = [['item', 'template', 'label', 'answer', 'trusted', ...places]];
      for (let p = 0; p < count; p++) {
        if (!shows[p]) continue;
        rows.push([data.items[itemOf(p)], data.templates[templateOf(p)], data.names[data.gold[p]] ?? '', data.names[data.answer[p]] ?? '',
                   faint[p] ? 'no' : 'yes', ...panels.flatMap(panel => [panel.at[2 * p], panel.at[2 * p + 1]])]);
      }
      return rows.map(row => row.map(value => csvField(String(value))).join(',') + '\n').join('');
    }

    choose.onchange = open;
    join.onchange = only.onchange = again;
    figure.querySelector('figcaption').after(controls, canvas, legend, caption);
    open();
    document.addEventListener('plumb', again);
    addEventListener('resize', layOut);
    for (const query of ['(prefers-color-scheme: dark)', 'print']) matchMedia(query).addEventListener('change', again);
  }

  const seen = new IntersectionObserver(entries => {
    for (const {isIntersecting, target} of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      unpack(target.querySelector('script').textContent).then(data => start(target, data));
    }
  }, {rootMargin: '200px'});
  for (const figure of document.querySelectorAll('figure.map')) if (figure.querySelector('script')) seen.observe(figure);
})();
