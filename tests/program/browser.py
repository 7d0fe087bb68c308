"""Drives a headless Chromium over a pipe (the DevTools protocol), with the standard library alone.

browser.py PAGE.html PICTURES: opens the page from file:// and uses it as a reader does; prints a line a check, "ok ..." or
"not ok ...", and leaves screenshots in the folder PICTURES. Exit 1: a check failed. 77: there is no Chromium.
"""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HEAP_MAX, BYTES_MAX = 200e6, 3.01e6


class Browser:
    def __init__(self, program, profile):
        to_browser, self.out = os.pipe()
        self.inp, from_browser = os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run", "--disable-extensions",
                 "--disable-background-networking", "--disable-component-update", "--hide-scrollbars", "--user-data-dir=" + profile]
        # Chromium reads from 3 and writes to 4.
        self.process = subprocess.Popen(["bash", "-c", f'exec "$@" 3<&{to_browser} 4>&{from_browser}', "bash", program] + flags,
                                        pass_fds=(to_browser, from_browser), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(to_browser)
        os.close(from_browser)
        self.buffer, self.last, self.events, self.session = b"", 0, [], None

    def receive(self):
        while b"\0" not in self.buffer:
            got = os.read(self.inp, 1 << 20)
            if not got:
                raise RuntimeError("the browser has ended")
            self.buffer += got
        message, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, **parameters):
        self.last += 1
        message = {"id": self.last, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self.last:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def wait(self, method):
        while True:
            for i, event in enumerate(self.events):
                if event.get("method") == method:
                    return self.events.pop(i)
            self.events.append(self.receive())

    def value(self, expression):
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(f"{expression}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def open(self, url, width=1400, height=1000, scheme="light"):
        if not self.session:
            target = self.call("Target.createTarget", url="about:blank")["targetId"]
            self.session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Network", "Log"):
                self.call(domain + ".enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.call("Page.navigate", url=url)
        self.wait("Page.loadEventFired")

    def picture(self, path):
        with open(path, "wb") as file:
            file.write(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))

    def close(self):
        try:
            self.session = None
            self.call("Browser.close")
        except (OSError, RuntimeError):
            pass
        self.process.wait(timeout=20)


failures = 0


def check(name, holds, found=""):
    global failures
    print(("ok " if holds else "not ok ") + name + ("" if holds else f": {found}"))
    failures += not holds


def quiet(browser):
    """No console message, no exception, no request but for the page itself and what it carries."""
    loud, requests = [], []
    for event in browser.events:
        method, parameters = event.get("method"), event.get("params", {})
        if method == "Log.entryAdded":
            loud.append(parameters["entry"]["text"])
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            loud.append(json.dumps(parameters)[:200])
        elif method == "Network.requestWillBeSent":
            requests.append(parameters["request"]["url"][:100])
    others = [url for url in requests if not re.match(r"(file|data|blob):", url)]
    check("no console message", not loud, loud[:3])
    check("no request", not others and sum(url.startswith("file:") for url in requests) == 1, requests[:5])


def settle(browser, expression):
    """Until it holds, 10 s at most."""
    for _ in range(100):
        if browser.value(expression):
            return True
        time.sleep(0.1)
    return False


def look_at_map(browser, pictures):
    """Maps are drawn when the reader comes to them, without WebGL; the pointer, the keys and patterns find their points."""
    if not browser.value("document.querySelectorAll('figure.map script').length"):
        return
    browser.value("""window.contexts = new Set(); window.calls = 0;
        { const get = HTMLCanvasElement.prototype.getContext, draw = CanvasRenderingContext2D.prototype.drawImage;
          HTMLCanvasElement.prototype.getContext = function (kind, ...how) { contexts.add(kind); return kind === '2d' ? get.call(this, kind, ...how) : null; };
          CanvasRenderingContext2D.prototype.drawImage = function (...all) { calls++; return draw.apply(this, all); }; }""")
    check("no map before it is looked at", browser.value("document.querySelectorAll('canvas').length") == 0)
    browser.value("document.querySelector('figure.map').scrollIntoView()")
    check("a map is drawn", settle(browser, "document.querySelectorAll('figure.map canvas').length"))
    browser.value("document.querySelector('figure.map canvas').scrollIntoView()")
    ink = """(() => { const c = document.querySelector('figure.map canvas'), copy = document.createElement('canvas');
        copy.width = c.width; copy.height = c.height;
        const to = copy.getContext('2d', {willReadFrequently: true}); to.drawImage(c, 0, 0);
        const d = to.getImageData(0, 0, c.width, c.height).data; let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n; })()"""
    check("with points", settle(browser, ink + " > 1000"))
    check("without WebGL", browser.value("[...contexts].join()") == "2d")
    hint = "document.querySelector('.hint').hidden ? '' : document.querySelector('.hint').textContent"
    browser.value("document.querySelector('figure.map canvas').focus()")
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight")
    shown = browser.value(hint) or ""
    check("arrow keys show a point", re.search(r"^item \d+, .*: label .*, answered .*\n.*item \d+", shown), shown)
    # The pointer: over the panel until there is a point.
    box = browser.value("(() => { const b = document.querySelector('figure.map canvas').getBoundingClientRect(); return [b.x, b.y, b.width / 3, b.height]; })()")
    place = None
    for step in range(1, 400):
        place = [box[0] + box[2] * (step % 20) / 20, box[1] + 25 + (box[3] - 30) * (step // 20) / 20]
        browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0], y=place[1])
        if browser.value(hint):
            break
    check("the pointer finds a point", re.search(r"^item \d+", browser.value(hint) or ""), browser.value(hint))
    time.sleep(0.2)
    browser.picture(os.path.join(pictures, "map.png"))
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=2, y=2)
    time.sleep(0.2)
    before = browser.value(ink)
    browser.value("document.querySelector('figure.map input').click()")
    check("lines join an item's wordings", settle(browser, f"{ink} > {before} + 500"))
    browser.value("document.querySelector('figure.map input').click()")
    check("and go again", settle(browser, f"{ink} === {before}"))
    browser.value("calls = 0")
    browser.call("Input.dispatchMouseEvent", type="mousePressed", button="left", x=place[0], y=place[1], clickCount=1)
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", button="left", buttons=1, x=place[0] + 60, y=place[1] + 40)
    moved = browser.value("new Promise(done => requestAnimationFrame(() => done(calls)))")
    check("a few draw calls a frame while it is moved", 0 < moved <= 6, moved)
    browser.call("Input.dispatchMouseEvent", type="mouseReleased", button="left", x=place[0] + 60, y=place[1] + 40, clickCount=1)
    browser.value("[...document.querySelectorAll('figure.map button')].find(b => b.textContent === 'Whole').click()")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=2, y=2)
    check("whole again", settle(browser, f"{ink} === {before}"))
    browser.value("(() => { const f = document.querySelectorAll('.toolbox input')[1]; f.value = '.'; f.dispatchEvent(new Event('input')); })()")
    check("points that are hidden are not drawn", settle(browser, f"{ink} < {before}"))
    browser.value("(() => { const f = document.querySelectorAll('.toolbox input')[1]; f.value = ''; f.dispatchEvent(new Event('input')); })()")
    browser.call("HeapProfiler.collectGarbage")
    heap = browser.call("Runtime.getHeapUsage")["usedSize"]
    check("heap with a map", heap <= HEAP_MAX, f"{heap / 1e6:.0f} MB")


def use(browser, url, pictures):
    browser.open(url)
    browser.call("HeapProfiler.collectGarbage")
    heap = browser.call("Runtime.getHeapUsage")["usedSize"]
    check("heap", heap <= HEAP_MAX, f"{heap / 1e6:.0f} MB")
    check("script runs", browser.value("document.querySelectorAll('.toolbox, .hint').length") == 2)
    check("figures", browser.value("document.querySelectorAll('figure svg').length") > 3)
    check("every figure has its table", browser.value("[...document.querySelectorAll('figure')].every(f => f.querySelector('table'))"))
    wide = browser.value("[document.documentElement.scrollWidth, innerWidth]")
    check("no wider than the window", wide[0] <= wide[1], wide)
    check("nothing of the data was run", browser.value("window.planted === undefined"))
    browser.picture(os.path.join(pictures, "first.png"))

    # The pointer over a mark.
    place = browser.value("""(() => { const p = document.querySelector('figure svg .s .p'); p.scrollIntoView({block: 'center'});
        const b = p.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()""")
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=place[0] + 3, y=place[1] + 3)
    shown = browser.value("document.querySelector('.hint').hidden ? '' : document.querySelector('.hint').textContent")
    check("hover shows a value", re.search(r": -?\d", shown or ""), shown)
    browser.picture(os.path.join(pictures, "hover.png"))
    browser.value("document.querySelector('figure svg').focus()")
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="ArrowRight", code="ArrowRight")
    shown = browser.value("document.querySelector('.hint').hidden ? '' : document.querySelector('.hint').textContent")
    check("arrow keys show a value", re.search(r": -?\d", shown or ""), shown)

    look_at_map(browser, pictures)

    # A cell opens on its prompts, and an item on what was asked.
    browser.value("document.querySelectorAll('#cells, #cells .more').forEach(d => d.open = true)")
    browser.value("document.querySelector('.cell').open = true")
    for _ in range(100):
        if browser.value("document.querySelectorAll('.cell .item').length"):
            break
        time.sleep(0.1)
    browser.value("document.querySelector('.cell .item').open = true")
    time.sleep(0.2)
    item = browser.value("document.querySelector('.cell .item').textContent") or ""
    check("a cell opens on prompts, token ids and log-probabilities", re.search(r"token ids.*-\d+\.\d{4}", item, re.S), item[:200])
    check("... and the prompt's own token ids", re.search(r"token ids behind description and shots: \d+( \d+)*", item), item[:200])
    browser.value("document.querySelector('.cell').scrollIntoView()")
    browser.picture(os.path.join(pictures, "cell.png"))

    # Hide, highlight and rename what the first legend or category is called.
    name = browser.value("(document.querySelector('figure svg .d text') || document.querySelector('.k text')).textContent")
    browser.value("document.querySelector('.toolbox').open = true")

    def fill(index, text):
        browser.value(f"""(() => {{ const f = document.querySelectorAll('.toolbox input, .toolbox textarea')[{index}];
            f.value = {json.dumps(text)}; f.dispatchEvent(new Event('input')); }})()""")

    literal = "^" + re.escape(name) + "$"
    visible = "[...document.querySelectorAll('figure svg .d, figure svg .k')].filter(e => e.style.display !== 'none').length"
    dim = "document.querySelectorAll('svg .dim').length"
    before = browser.value(visible)
    fill(1, literal)
    check("hide", browser.value(visible) < before, name)
    check("settings in the address", "hide=" in browser.value("location.hash"), browser.value("location.hash"))
    browser.picture(os.path.join(pictures, "hidden.png"))
    fill(1, "")
    check("shown again", browser.value(visible) == before)
    fill(0, literal)
    check("highlight", browser.value(dim) > 0)
    fill(0, "")
    fill(2, literal + " => renamed <b>")
    check("rename", browser.value("[...document.querySelectorAll('svg text')].some(t => t.textContent === 'renamed <b>')"))
    address = browser.value("location.hash")
    fill(2, "")
    check("the name comes back", browser.value(f"[...document.querySelectorAll('svg text')].some(t => t.textContent === {json.dumps(name)})"))
    browser.open("about:blank")
    browser.events = [e for e in browser.events if e.get("params", {}).get("request", {}).get("url") != "about:blank"]
    return address


def export(browser):
    browser.value("""window.saved = []; HTMLAnchorElement.prototype.click = function () {
        const name = this.download; window.saved.push(fetchBlob(this.href).then(text => [name, text])); };
        window.blobs = {}; const made = URL.createObjectURL; URL.createObjectURL = b => { const u = made(b); blobs[u] = b; return u; };
        window.fetchBlob = async u => { const b = new Uint8Array(await blobs[u].arrayBuffer());
            return [...b.slice(0, 200000)].map(c => String.fromCharCode(c)).join(''); };""")
    browser.value("document.querySelectorAll('figure .export')[0].querySelectorAll('button').forEach(b => b.click())")
    for _ in range(100):
        if browser.value("saved.length") == 3:
            break
        time.sleep(0.1)
    saved = {name.rsplit(".", 1)[-1]: text for name, text in browser.value("Promise.all(saved)")}
    check("export SVG", saved.get("svg", "").startswith("<svg xmlns=") and "<title>" in saved.get("svg", ""), saved.get("svg", "")[:80])
    check("export PNG", saved.get("png", "").startswith("\x89PNG"), saved.get("png", "")[:8])
    check("export CSV", saved.get("csv", "").count("\n") > 2 and ",lo,hi" in saved.get("csv", ""), saved.get("csv", "")[:80])


def export_map(browser):
    """After export, whose stand-ins it uses."""
    if not browser.value("document.querySelectorAll('figure.map script').length"):
        return
    browser.value("saved.length = 0; document.querySelector('figure.map').scrollIntoView()")
    settle(browser, "document.querySelectorAll('figure.map canvas').length")
    browser.value("document.querySelector('figure.map').querySelectorAll('button').forEach(b => /SVG|PNG|CSV/.test(b.textContent) && b.click())")
    settle(browser, "saved.length === 3")
    saved = {name.rsplit(".", 1)[-1]: text for name, text in browser.value("Promise.all(saved)")}
    check("export SVG of a map", "<script" not in saved.get("svg", "<script") and saved["svg"].count("<path") > 9, saved.get("svg", "")[:80])
    check("export PNG of a map", saved.get("png", "").startswith("\x89PNG"), saved.get("png", "")[:8])
    check("export CSV of a map", saved.get("csv", "").startswith("item,template,label,answer,trusted,"), saved.get("csv", "")[:80])


def main(page, pictures):
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if not program:
        return 77
    url = "file://" + os.path.realpath(page)
    profile = tempfile.mkdtemp()
    browser = Browser(program, profile)
    size = os.path.getsize(page)
    check("bytes", size <= BYTES_MAX, size)
    try:
        address = use(browser, url, pictures)
        quiet(browser)
        browser.events = []
        browser.open(url + address)
        check("settings of an address hold", browser.value("[...document.querySelectorAll('svg text')].some(t => t.textContent === 'renamed <b>')"))
        export(browser)
        export_map(browser)
        browser.events = []
        browser.open(url, scheme="dark")
        paper = browser.value("getComputedStyle(document.body).backgroundColor")
        check("dark", sum(map(int, re.findall(r"\d+", paper)[:3])) < 200, paper)
        browser.picture(os.path.join(pictures, "dark.png"))
        browser.call("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
        paper = browser.value("getComputedStyle(document.querySelector('svg .w')).fill")
        check("print is light", sum(map(int, re.findall(r"\d+", paper)[:3])) > 700, paper)
        with open(os.path.join(pictures, "print.pdf"), "wb") as file:
            file.write(base64.b64decode(browser.call("Page.printToPDF")["data"]))
        quiet(browser)
        # Without its script the page says the same.
        browser.call("Emulation.setScriptExecutionDisabled", value=True)
        browser.open(url)
        browser.picture(os.path.join(pictures, "no-script.png"))
    finally:
        browser.close()
        shutil.rmtree(profile, ignore_errors=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
