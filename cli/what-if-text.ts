import { printable } from '../core/printable.js';
import type { WhatIf, WouldChange } from '../store/read/what-if.js';
import { columns } from './output.js';
import type { LateChange, PlannedChange } from './what-if.js';

/**
 * For people: sums, then the filters and ads that would change most; then the same of late clicks.
 * @param cellsCommand names every cell
 */
export function changeText(change: PlannedChange, cellsCommand: string): string {
  const { hours, uncut, cells, late, cellsWritten } = change;
  const head =
    `these rules would change ${String(cells)} cells in ${String(hours)} hours` +
    (uncut === 0 ? '' : `; of ${String(uncut)} hours that are not cut nothing is known yet`);
  return [
    head,
    ...tables(change, 'NOW'),
    ...(late.hours === 0 ? [] : lateText(late)),
    ...(cells + late.cells === 0 ? [] : ['', cellsText(cellsWritten, cellsCommand)]),
  ].join('\n');
}

function lateText(late: LateChange): string[] {
  const { hours, pending, cells } = late;
  return [
    '',
    `whatever the rules, the replay would also take in ${String(pending)} late clicks of ` +
      `${String(hours)} hours: counted by these rules, they change ${String(cells)} cells more`,
    ...tables(late, 'WITHOUT'),
  ];
}

function cellsText(written: number | null, command: string): string {
  if (written !== null) return `${String(written)} cells written, each with its minute`;
  return `every cell, with its minute, before and after:\n  ${command}`;
}

/** @param before heading of what they are compared with */
function tables(change: WhatIf, before: string): string[] {
  const { cells, filters, filtersTotal, ads, adsTotal } = change;
  if (cells === 0) return [];
  const row = (names: readonly string[], one: WouldChange): string[] => {
    const moved = one.after - one.before;
    return [
      ...names.map(printable),
      String(one.cells),
      String(one.before),
      String(one.after),
      (moved > 0 ? '+' : '') + String(moved),
    ];
  };
  const counts = ['CELLS', before, 'THEN', 'CHANGE'];
  return [
    '',
    columns([
      ['FILTER', ...counts],
      ...filters.map((one) => row([one.filter === '' ? '(total)' : one.filter], one)),
    ]),
    ...shown(filters.length, filtersTotal, 'filters'),
    '',
    columns([
      ['AD', 'FILTER', ...counts],
      ...ads.map((one) => row([one.adId, one.filter === '' ? '(total)' : one.filter], one)),
    ]),
    ...shown(ads.length, adsTotal, 'ads by filter'),
  ];
}

/** Said where a table is not whole. */
function shown(rows: number, total: number, what: string): string[] {
  if (rows === total) return [];
  return [`${String(rows)} of ${String(total)} ${what}: those that change most`];
}

/** The same as a part of a JSON document. */
export function changeDocument(change: PlannedChange, cellsCommand: string) {
  const { hours, uncut, late } = change;
  return {
    ...{ hours, uncut_hours: uncut, ...whatIfDocument(change) },
    late: { hours: late.hours, late_pending: late.pending, ...whatIfDocument(late) },
    ...{ cells_written: change.cellsWritten, cells_command: cellsCommand },
  };
}

function whatIfDocument(change: WhatIf) {
  const { cells, before, after, filters, filtersTotal, ads, adsTotal } = change;
  return {
    ...{ cells, before, after },
    // Where there are more, these are the ones that change most; `cells_command` names every cell.
    truncated: filters.length < filtersTotal || ads.length < adsTotal,
    ...{ filters_total: filtersTotal, filters, ads_total: adsTotal },
    ads: ads.map(({ adId, ...rest }) => ({ ad_id: adId, ...rest })),
  };
}
