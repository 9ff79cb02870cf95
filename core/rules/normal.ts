import { blockId, parseBlock } from './ip.js';
import { CLICK_LIMITS } from '../click/click.js';
import type { Condition, Score, Steps, Table } from './rule-set.js';
import { keyId } from './table.js';

/**
 * The steps of a value in one form, so that two which do the same by what docs/reference/rule-sets.md
 * says of them are equal: what is left out is not written, texts in no order have one, and of a table
 * there is only what is read. `tables` has those that the rule set names.
 */
export function normalSteps(steps: Steps, tables: Readonly<Record<string, Table>>): object {
  const { trim, case: letters, unknown, map = {}, lookup, match, maxBytes } = steps;
  const longest = maxBytes === undefined || maxBytes === CLICK_LIMITS.dimensionBytesMax;
  return {
    ...(trim === undefined ? {} : { trim }),
    ...(letters === undefined ? {} : { case: letters }),
    ...(unknown === undefined ? {} : { unknown: asSet(unknown) }),
    ...(Object.keys(map).length === 0 ? {} : { map }),
    ...(lookup === undefined ? {} : { lookup: readOf(tables[lookup.table]!, lookup.column) }),
    ...(match === undefined ? {} : { match }),
    ...(longest ? {} : { maxBytes }),
  };
}

/** What a lookup reads of a table: keys and one column, in one order. */
function readOf({ key, columns, rows }: Table, column: string): object {
  const at = 1 + columns.indexOf(column);
  const read = rows.map((row) => [keyId(key, row[0]!), row[at]!] as const);
  return { key, rows: read.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)) };
}

/** A score in one form: weights that are left out are 0. */
export function normalScore({ bias = 0, terms, ...score }: Score): Required<Score> {
  return { ...score, bias, terms: terms.map((term) => ({ otherwise: 0, ...term })) };
}

/** A condition in one form: its texts and blocks have no order. */
export function normalCondition(condition: Condition): object {
  if ('in' in condition) return { ...condition, in: asSet(condition.in) };
  if (!('within' in condition)) return condition;
  return { ...condition, within: asSet(condition.within.map((one) => blockId(parseBlock(one)!))) };
}

function asSet(texts: readonly string[]): string[] {
  return [...new Set(texts)].sort();
}
