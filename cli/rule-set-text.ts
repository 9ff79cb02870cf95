import { stringify } from 'yaml';
import { visible } from '../core/printable.js';
import type { RuleSet, Table } from '../core/rules/rule-set.js';

/** Rows of a table that people are shown. */
const ROWS_SHOWN = 3;

/** A rule set as YAML for people: of long tables only the first rows. */
export function ruleSetText(ruleSet: RuleSet): string {
  const { tables, ...rest } = ruleSet;
  const { version, ...parts } = rest;
  const shown = tables === undefined ? {} : { tables: abbreviated(tables) };
  return visible(stringify({ version, ...shown, ...parts }, { lineWidth: 100 }).trimEnd());
}

function abbreviated(tables: Readonly<Record<string, Table>>): object {
  const shown = Object.entries(tables).map(([name, { key, columns, rows }]) => {
    const more = rows.length - ROWS_SHOWN;
    const first = rows.slice(0, ROWS_SHOWN).map((row) => row.join(' | '));
    const rest = more > 0 ? [`… and ${String(more)} more rows: --json shows all`] : [];
    return [name, { key, columns, rows: [...first, ...rest] }] as const;
  });
  return Object.fromEntries(shown);
}
