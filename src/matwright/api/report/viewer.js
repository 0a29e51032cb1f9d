// Turns the still picture of a crystal with the pointer or the arrow keys; a double click goes back.
"use strict";
(() => {
  const EYE = 5.0, SHRINK = 0.97;

  const times = (a, b) => a.map(row => b[0].map((_, j) => row.reduce((sum, x, k) => sum + x * b[k][j], 0)));
  const turn = (m, p) => m.map(row => row[0] * p[0] + row[1] * p[1] + row[2] * p[2]);
  const middle = (p, q) => p.map((x, i) => (x + q[i]) / 2);
  const about = (yaw, pitch) => {
    const [c, s, d, t] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
    return times([[1, 0, 0], [0, d, -t], [0, t, d]], [[c, 0, s], [0, 1, 0], [-s, 0, c]]);
  };
  const project = p => {
    const size = EYE / (EYE - p[2]) * SHRINK;
    return [p[0] * size, -p[1] * size, size];
  };

  function line(kind, p, q, depth, colour) {
    const [x1, y1] = project(p), [x2, y2] = project(q);
    const stroke = colour ? ` stroke="${colour}"` : "";
    return [depth, `<line class="${kind}" x1="${x1.toFixed(3)}" y1="${y1.toFixed(3)}" x2="${x2.toFixed(3)}" ` +
      `y2="${y2.toFixed(3)}"${stroke}/>`];
  }

  function draw(scene, rotation) {
    const points = scene.p.map(p => turn(rotation, p)), shapes = [];
    for (const [start, end] of scene.e) {
      const p = turn(rotation, start), q = turn(rotation, end);
      shapes.push(line("edge", p, q, (p[2] + q[2]) / 2));
    }
    scene.b.forEach((ends, bond) => {
      const centre = middle(points[ends[0]], points[ends[1]]);
      ends.forEach((k, half) => {
        shapes.push(line("bond", points[k], centre, (points[k][2] + 3 * centre[2]) / 4, scene.f[bond][half]));
      });
    });
    points.forEach((point, i) => {
      const [x, y, size] = project(point);
      shapes.push([point[2], `<circle cx="${x.toFixed(3)}" cy="${y.toFixed(3)}" ` +
        `r="${(scene.r[i] * size).toFixed(3)}" fill="url(#${scene.g[i]})"/>` +
        (scene.t.length ? `<text x="${x.toFixed(3)}" y="${y.toFixed(3)}">${scene.t[i]}</text>` : "")]);
    });
    return shapes.sort((a, b) => a[0] - b[0]).map(shape => shape[1]).join("");
  }

  function bring(figure) {
    const svg = figure.querySelector("svg"), scene = JSON.parse(figure.querySelector("script").textContent);
    const first = JSON.parse(figure.dataset.view), still = svg.innerHTML;
    let rotation = first, held = null, waiting = false;
    const show = () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; svg.innerHTML = draw(scene, rotation); });
    };
    const by = (yaw, pitch) => { rotation = times(about(yaw, pitch), rotation); show(); };
    svg.addEventListener("pointerdown", event => {
      held = [event.clientX, event.clientY];
      svg.setPointerCapture(event.pointerId);
      figure.classList.add("held");
    });
    svg.addEventListener("pointermove", event => {
      if (!held) return;
      by((event.clientX - held[0]) * 0.012, (event.clientY - held[1]) * 0.012);
      held = [event.clientX, event.clientY];
    });
    const release = () => { held = null; figure.classList.remove("held"); };
    svg.addEventListener("pointerup", release);
    svg.addEventListener("pointercancel", release);
    svg.addEventListener("dblclick", () => { rotation = first; svg.innerHTML = still; });
    svg.addEventListener("keydown", event => {
      const step = { ArrowLeft: [-0.15, 0], ArrowRight: [0.15, 0], ArrowUp: [0, -0.15], ArrowDown: [0, 0.15] };
      if (!(event.key in step)) return;
      event.preventDefault();
      by(...step[event.key]);
    });
  }
  document.querySelectorAll("figure.crystal").forEach(bring);

  // Tables whose head cells carry data-sort can be put in order of that column.
  document.querySelectorAll("table.sortable").forEach(table => {
    table.querySelectorAll("th button").forEach(button => button.addEventListener("click", () => {
      const head = button.closest("th"), column = [...head.parentNode.children].indexOf(head);
      const down = head.getAttribute("aria-sort") === "ascending";
      table.querySelectorAll("th").forEach(other => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = row => {
        const text = row.children[column].dataset.value ?? row.children[column].textContent.trim();
        return text === "" ? null : isNaN(text) ? text : Number(text);
      };
      const order = (a, b) => a === b ? 0 : a === null ? 1 : b === null ? -1 : (a < b ? -1 : 1) * (down ? -1 : 1);
      [...table.tBodies[0].rows].sort((a, b) => order(value(a), value(b))).forEach(row => table.tBodies[0].append(row));
    }));
  });
})();
