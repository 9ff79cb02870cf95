import { expect, it } from 'vitest';
import type { PlannedChange } from '../../cli/what-if.js';
import { changeDocument, changeText } from '../../cli/what-if-text.js';
import type { WhatIf } from '../../store/read/what-if.js';

const COMMAND = 'npx truecount replay --rules 2 --plan --cells cells.ndjson';
const NOTHING = { cells: 0, before: 0, after: 0 };
const NONE: WhatIf = { ...NOTHING, filters: [], filtersTotal: 0, ads: [], adsTotal: 0 };

/** One filter and one ad are named, of so many. */
function changed(filtersTotal: number, adsTotal: number): WhatIf {
  const sums = { cells: 4, before: 9, after: 7 };
  return {
    ...{ ...sums, filtersTotal, adsTotal },
    filters: [{ filter: 'country:UK', ...sums }],
    ads: [{ adId: 'ad-\u001b[2J', filter: '', ...sums }],
  };
}

const planned = (by: WhatIf, late: WhatIf = NONE): PlannedChange => ({
  ...{ ...by, hours: 72, uncut: 0, cellsWritten: null },
  late: { ...late, hours: late.cells === 0 ? 0 : 3, pending: 5 },
});

it('tables that are cut say of how many they are, and by what command all cells are got', () => {
  const text = changeText(planned(changed(45, 1_034)), COMMAND);
  expect(text).toContain('\n1 of 45 filters: those that change most\n');
  expect(text).toContain('\n1 of 1034 ads by filter: those that change most\n');
  expect(text).toContain(`every cell, with its minute, before and after:\n  ${COMMAND}`);
  expect(changeDocument(planned(changed(45, 1_034)), COMMAND)).toMatchObject({
    ...{ truncated: true, filters_total: 45, ads_total: 1_034 },
    ...{ cells_written: null, cells_command: COMMAND, late: { truncated: false } },
  });
});

it('tables that are whole say nothing; an ad cannot act on the terminal', () => {
  const text = changeText(planned(changed(1, 1)), COMMAND);
  expect(text).not.toContain('change most');
  expect(text).not.toContain('\u001b');
  expect(text).toContain(`  ${COMMAND}`);
  expect(changeDocument(planned(changed(1, 1)), COMMAND)).toMatchObject({ truncated: false });
});

it('tables of late clicks that are cut say so, too', () => {
  const change = planned(NONE, changed(3, 7));
  const text = changeText(change, COMMAND);
  expect(text).toContain('\n1 of 7 ads by filter: those that change most\n');
  expect(changeDocument(change, COMMAND)).toMatchObject({
    ...{ truncated: false, late: { truncated: true, filters_total: 3, ads_total: 7 } },
  });
});

it('cells that were written are counted; where none would change no command is named', () => {
  const written = { ...planned(changed(1, 1)), cellsWritten: 4 };
  expect(changeText(written, COMMAND)).toMatch(/\n4 cells written, each with its minute$/);
  expect(changeText(planned(NONE), COMMAND)).toBe('these rules would change 0 cells in 72 hours');
});
