/** What the page does: builds itself from the data that it carries. */
import type { PageData, SweepPageData } from './model.ts';
import { reportPage } from './report.ts';
import { sweepPage } from './sweep.ts';

const carried = JSON.parse(document.getElementById('data')!.textContent!) as PageData | SweepPageData;
const page = document.querySelector('main')!;
page.append(...('sweep' in carried ? sweepPage(carried.sweep) : reportPage(carried)));
document.querySelector('nav')!.append(
  ...[...page.querySelectorAll('section')].map((s) => {
    const link = document.createElement('a');
    link.href = `#${s.id}`;
    link.textContent = s.querySelector('h2')!.textContent;
    return link;
  }),
);
