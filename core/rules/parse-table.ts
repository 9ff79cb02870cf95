import { CLICK_LIMITS } from '../click/click.js';
import { fitsUtf8, isSafeText } from '../text.js';
import { entriesAt, invalid, listAt, objectAt, oneOfAt } from './json-shape.js';
import { blockAt, nameAt, textAt } from './parse-texts.js';
import { TABLE_ROWS_MAX } from './rule-set.js';
import type { Table } from './rule-set.js';
import { keyId } from './table.js';

const COLUMNS_MAX = 16;

/** Tables by name. No two rows of one have the same key. */
export function tablesAt(place: string, json: unknown): Readonly<Record<string, Table>> {
  return entriesAt(place, json, (at, name, table) => {
    nameAt(`${at} as a name`, name);
    return tableAt(at, table);
  });
}

function tableAt(place: string, json: unknown): Table {
  const { key, columns, rows } = objectAt(place, json, ['key', 'columns', 'rows']);
  const kind = oneOfAt(`${place}.key`, key, ['text', 'ip']);
  const names = columnsAt(`${place}.columns`, columns);
  const seen = new Map<string, { at: string; key: string }>();
  return {
    key: kind,
    columns: names,
    rows: listAt(
      `${place}.rows`,
      rows,
      (at, row) => {
        const texts = rowAt(at, row, kind, names.length);
        const key = texts[0]!;
        const id = keyId(kind, key);
        const before = seen.get(id);
        if (before !== undefined) throw invalid(at, repeatsKey(key, before));
        seen.set(id, { at, key });
        return texts;
      },
      { max: TABLE_ROWS_MAX },
    ),
  };
}

/** Names of columns, none of them twice: a lookup names one. */
function columnsAt(place: string, json: unknown): string[] {
  const names = listAt(place, json, nameAt, { min: 1, max: COLUMNS_MAX });
  names.forEach((name, i) => {
    const first = names.indexOf(name);
    if (first === i) return;
    const [at, before] = [`${place}[${String(i)}]`, `${place}[${String(first)}]`];
    throw invalid(at, `repeats the column ${JSON.stringify(name)} of ${before}`);
  });
  return names;
}

function repeatsKey(key: string, before: { readonly at: string; readonly key: string }): string {
  const same = `repeats the key ${JSON.stringify(key)} of ${before.at}`;
  return key === before.key ? same : `${same}, where it is ${JSON.stringify(before.key)}`;
}

function rowAt(place: string, json: unknown, kind: Table['key'], columns: number): string[] {
  if (!Array.isArray(json) || json.length !== columns + 1) {
    throw invalid(place, `must be an array of a key and ${String(columns)} texts`);
  }
  return json.map((text: unknown, i) => {
    const at = `${place}[${String(i)}]`;
    if (i > 0) return text === '' ? '' : textAt(at, text);
    return kind === 'ip' ? blockAt(at, text) : keyAt(at, text);
  });
}

function keyAt(place: string, json: unknown): string {
  const max = CLICK_LIMITS.fieldBytesMax;
  if (typeof json !== 'string' || json === '' || !isSafeText(json) || !fitsUtf8(json, max)) {
    throw invalid(place, `must be 1 to ${String(max)} bytes of text without control characters`);
  }
  return json;
}
