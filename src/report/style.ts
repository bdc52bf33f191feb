/** The page's style: light and dark, wide and narrow. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --surface: #ffffff; --panel: #f5f6f8; --text: #1b1f24; --soft: #59636e; --line: #d5dae0; --accent: #0a5bd3; --before: #c3cad3;
  --memory: #2c7fb8; --arithmetic: #2f9e44; --latency: #b8478f; --dispatch: #e08a00;
  --contraction: #2c7fb8; --softmax: #b8336a; --normalization: #7b4fc9; --reduction: #108d8d; --order: #8a6d3b; --elementwise: #e08a00; --movement: #8b949e;
  --hot: 220, 90, 20;
}
@media (prefers-color-scheme: dark) {
  :root {
    --surface: #14171b; --panel: #1d2127; --text: #e6e9ed; --soft: #9aa4af; --line: #363d46; --accent: #7ab4ff; --before: #4b535d;
    --memory: #58a6dd; --arithmetic: #56c06a; --latency: #e07fbb; --dispatch: #f0a732;
    --contraction: #58a6dd; --softmax: #e86a9b; --normalization: #a98bea; --reduction: #3fc0c0; --order: #c2a36b; --elementwise: #f0a732; --movement: #7d8691;
    --hot: 240, 140, 60;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 3.2rem; }
body { margin: 0; background: var(--surface); color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
nav { position: sticky; top: 0; z-index: 5; display: flex; gap: 1.1rem; overflow-x: auto; white-space: nowrap; padding: .6rem 1rem; background: var(--panel); border-bottom: 1px solid var(--line); }
a, .link { color: var(--accent); text-decoration: none; }
a:hover, .link:hover { text-decoration: underline; }
main { max-width: 1200px; margin: 0 auto; padding: 1rem; }
h1 { margin: .4rem 0 0; font-size: 1.7rem; overflow-wrap: anywhere; }
h2 { margin: 2.2rem 0 .4rem; font-size: 1.25rem; }
h3 { margin: 1.4rem 0 .3rem; font-size: 1.05rem; overflow-wrap: anywhere; }
.note, .title, .ops, .block-name { color: var(--soft); }
p.note { margin: .2rem 0 .6rem; }
ul.note { padding-left: 1.2rem; font-size: .9rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(165px, 1fr)); gap: .7rem; padding: 0; list-style: none; }
.cards li { display: flex; flex-direction: column; padding: .7rem .8rem; background: var(--panel); border-radius: 8px; }
.cards strong { font-size: 1.35rem; font-weight: 600; }
.cards .note, .cards .title { font-size: .82rem; }
.findings { padding-left: 1.2rem; max-width: 80ch; }
figure.plot { margin: .6rem 0; min-height: 60px; }
figure.plot svg, figure.plot figure { max-width: 100%; margin: 0; overflow: visible; background: none; }
figure.plot [class*="swatch"] svg { margin-right: .4em; }
.plot svg { --plot-background: var(--surface); }
.scroll { overflow: auto; max-height: 34rem; border: 1px solid var(--line); border-radius: 8px; margin: .6rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .86rem; font-variant-numeric: tabular-nums; }
th, td { padding: .22rem .55rem; text-align: left; white-space: nowrap; }
thead th { position: sticky; top: 0; background: var(--panel); }
tbody tr { border-top: 1px solid var(--line); }
.number { text-align: right; }
th button, .link, .more, .line button { font: inherit; background: none; border: 0; padding: 0; color: inherit; cursor: pointer; }
.link, .line button { color: var(--accent); }
.more { display: block; padding: .5rem; color: var(--accent); }
.more[hidden] { display: none; }
th[aria-sort=descending] button::after { content: ' \\2193'; }
th[aria-sort=ascending] button::after { content: ' \\2191'; }
.bound::before { content: ''; display: inline-block; width: .6em; height: .6em; margin-right: .4em; border-radius: 50%; background: currentColor; }
.bound.memory::before { color: var(--memory); } .bound.arithmetic::before { color: var(--arithmetic); } .bound.latency::before { color: var(--latency); } .bound.dispatch::before { color: var(--dispatch); }
pre { margin: 0; font: 12.5px/1.45 ui-monospace, monospace; tab-size: 2; }
pre.code { padding: .7rem; background: var(--panel); }
.source table { width: auto; min-width: 100%; }
.source tr { border: 0; background: rgba(var(--hot), calc(var(--heat, 0) * .45)); }
.source tr.chosen { outline: 2px solid var(--accent); outline-offset: -2px; }
.source td { padding: 0 .5rem; color: var(--soft); }
.source td:last-child { color: var(--text); width: 100%; }
.line-details:not(:empty) { padding: .5rem .8rem; margin: .5rem 0; background: var(--panel); border-radius: 8px; }
select { font: inherit; max-width: 100%; color: inherit; background: var(--panel); border: 1px solid var(--line); border-radius: 6px; padding: .2rem; }
button:focus-visible, a:focus-visible, select:focus-visible, .scroll:focus-visible { outline: 2px solid var(--accent); outline-offset: 1px; }
@media (max-width: 640px) {
  main { padding: .6rem; }
  .source .wide { display: none; }
  td:first-child { max-width: 48vw; overflow: hidden; text-overflow: ellipsis; }
  .cards { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  th, td { padding: .22rem .4rem; }
}
`;
