/** Elements, tables that sort, and nothing that parses text as HTML: whatever a file holds is shown as text. */

export type Child = Node | string | number | undefined | false | readonly Child[];

type Attributes = Readonly<Record<string, string | number | boolean | undefined | ((event: Event) => void)>>;

function append(parent: Element, child: Child): void {
  if (child === undefined || child === false) return;
  if (Array.isArray(child)) for (const c of child) append(parent, c);
  else parent.append(child instanceof Node ? child : String(child));
}

/** An element; functions among the attributes listen to the event of that name. */
export function h(tag: string, attributes: Attributes = {}, ...children: Child[]): HTMLElement {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  for (const child of children) append(element, child);
  return element;
}

export interface Column<Row> {
  readonly title: string;
  /** What the column sorts by; numbers stand to the right. */
  readonly value: (row: Row) => number | string | undefined;
  /** What it shows; the value where absent. */
  readonly show?: (row: Row) => Child;
  readonly hint?: string;
}

/** A table whose headings sort it; greatest numbers first. */
export function sortableTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[], options: { readonly by?: string; readonly id?: (row: Row) => string; readonly limit?: number } = {}): HTMLElement {
  let by = columns.findIndex((c) => c.title === options.by);
  let descending = true;
  let limit = options.limit ?? Infinity;
  const numeric = columns.map((c) => rows.some((r) => typeof c.value(r) === 'number'));
  const body = h('tbody');
  const more = h('button', { class: 'more', type: 'button', click: () => ((limit = Infinity), fill()) });
  const headings = columns.map((c, i) =>
    h('th', { scope: 'col', class: numeric[i] ? 'number' : undefined, title: c.hint }, h('button', { type: 'button', click: () => ((descending = by === i ? !descending : numeric[i]), (by = i), fill()) }, c.title)),
  );
  const compare = (a: Row, b: Row): number => {
    const [x, y] = [columns[by].value(a), columns[by].value(b)];
    if (x === undefined || y === undefined) return x === y ? 0 : x === undefined ? 1 : -1;
    const order = typeof x === 'number' && typeof y === 'number' ? x - y : String(x).localeCompare(String(y));
    return descending ? -order : order;
  };
  const fill = (): void => {
    const sorted = by < 0 ? [...rows] : [...rows].sort(compare);
    headings.forEach((th, i) => th.setAttribute('aria-sort', i !== by ? 'none' : descending ? 'descending' : 'ascending'));
    body.replaceChildren(
      ...sorted.slice(0, limit).map((row) => h('tr', { id: options.id?.(row) }, columns.map((c, i) => h('td', { class: numeric[i] ? 'number' : undefined }, c.show ? c.show(row) : c.value(row))))),
    );
    more.hidden = limit >= rows.length;
    more.textContent = `all ${rows.length} rows`;
  };
  fill();
  return h('div', { class: 'scroll', tabindex: 0 }, h('table', {}, h('thead', {}, h('tr', {}, headings)), body), more);
}

export function section(id: string, title: string, note: string, ...children: Child[]): HTMLElement {
  return h('section', { id }, h('h2', {}, title), note !== '' && h('p', { class: 'note' }, note), children);
}
