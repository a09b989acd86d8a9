"use strict";
/* What a page adds where scripts run: sorted tables, figures that open large and zoom, and hints at once. */
(() => {
  const number = (cell) => {
    const text = (cell ? cell.textContent : "").trim();
    const found = parseFloat(text.replace(/,/g, "").replace(/^\u2212/, "-").replace(/^< /, ""));
    return Number.isNaN(found) ? null : found;
  };
  const sort = (table, column, down) => {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const all = rows.map((row) => row.cells[column]);
    const numeric = all.some((cell) => number(cell) !== null);
    const key = (row) => (numeric ? number(row.cells[column]) : row.cells[column].textContent.trim());
    rows.sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      if (x === null || y === null) return (x === null) - (y === null);
      return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
    });
    body.append(...rows);
  };
  for (const table of document.querySelectorAll("table")) {
    if (!table.tHead || table.tHead.rows.length !== 1 || !table.tBodies.length) continue;
    const heads = [...table.tHead.rows[0].cells];
    if (table.tBodies[0].rows.length < 3 || heads.some((head) => head.colSpan > 1)) continue;
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        heads.forEach((one) => one.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        sort(table, column, down);
      });
    });
  }

  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  document.addEventListener("mousemove", (event) => {
    const mark = event.target.closest ? event.target.closest("use, path") : null;
    const title = mark && [...mark.children].find((child) => child.tagName === "title");
    tip.hidden = !title;
    if (!title) return;
    tip.textContent = title.textContent;
    const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    tip.style.transform = `translate(${Math.max(0, left)}px, ${event.clientY + 14}px)`;
  });

  const large = document.createElement("dialog");
  large.id = "large";
  document.body.append(large);
  let scale = 1, x = 0, y = 0, held = null, shown = null;
  const place = () => { if (shown) shown.style.transform = `translate(${x}px, ${y}px) scale(${scale})`; };
  const open = (picture) => {
    shown = picture.cloneNode(true);
    [scale, x, y] = [1, 0, 0];
    large.replaceChildren(shown);
    place();
    large.showModal();
  };
  for (const picture of document.querySelectorAll("figure > img, figure > svg")) {
    picture.classList.add("opens");
    picture.addEventListener("click", () => open(picture));
  }
  large.addEventListener("wheel", (event) => {
    event.preventDefault();
    const by = Math.exp(-event.deltaY / 400);
    const next = Math.min(12, Math.max(0.5, scale * by));
    x = event.clientX - (event.clientX - x) * (next / scale);
    y = event.clientY - (event.clientY - y) * (next / scale);
    scale = next;
    place();
  }, { passive: false });
  large.addEventListener("pointerdown", (event) => {
    held = { x: event.clientX - x, y: event.clientY - y, from: [event.clientX, event.clientY] };
    event.preventDefault();
  });
  large.addEventListener("pointermove", (event) => {
    if (!held) return;
    [x, y] = [event.clientX - held.x, event.clientY - held.y];
    place();
  });
  large.addEventListener("pointerup", (event) => {
    const moved = held && Math.hypot(event.clientX - held.from[0], event.clientY - held.from[1]);
    held = null;
    if (moved !== null && moved < 4) large.close();
  });
})();
