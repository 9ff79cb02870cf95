import type { Table } from './rule-set.js';
import { keyId } from './table.js';

type Row = Table['rows'][number];

/** What is different in a table that has the same name. */
export interface TableChange {
  readonly name: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** Its kind of key and its columns, where they differ: rows of such tables are not compared. */
  readonly shape?: { readonly before: string; readonly after: string };
  readonly rows: {
    readonly before: number;
    readonly after: number;
    readonly added: readonly Row[];
    readonly removed: readonly Row[];
    readonly changed: readonly { readonly before: Row; readonly after: Row }[];
  };
}

type Tables = Readonly<Record<string, Table>>;

/**
 * What was removed, then the rest in the order of `after`. Only another order of rows is no change,
 * nor is another writing of a block.
 */
export function tablesBetween(before: Tables, after: Tables): TableChange[] {
  const old = new Map(Object.entries(before));
  const now = new Map(Object.entries(after));
  const removed = [...old].filter(([name]) => !now.has(name));
  return [
    ...removed.map(([name, table]) => whole(name, 'removed', table.rows.length, 0)),
    ...[...now].flatMap(([name, table]): TableChange[] => {
      const was = old.get(name);
      if (was === undefined) return [whole(name, 'added', 0, table.rows.length)];
      return changeOf(name, was, table);
    }),
  ];
}

function whole(
  name: string,
  change: TableChange['change'],
  before: number,
  after: number,
): TableChange {
  return { name, change, rows: { before, after, added: [], removed: [], changed: [] } };
}

function changeOf(name: string, before: Table, after: Table): TableChange[] {
  const shapes = [shapeOf(before), shapeOf(after)] as const;
  const counts = [before.rows.length, after.rows.length] as const;
  if (shapes[0] !== shapes[1]) {
    const shape = { before: shapes[0], after: shapes[1] };
    return [{ ...whole(name, 'changed', ...counts), shape }];
  }
  const id = ([key]: Row): string => keyId(after.key, key!);
  const old = new Map(before.rows.map((row) => [id(row), row]));
  const now = new Set(after.rows.map(id));
  const added = after.rows.filter((row) => !old.has(id(row)));
  const removed = before.rows.filter((row) => !now.has(id(row)));
  const changed = after.rows.flatMap((row) => {
    const was = old.get(id(row));
    return was === undefined || was.every((text, i) => i === 0 || text === row[i])
      ? []
      : [{ before: was, after: row }];
  });
  if (added.length + removed.length + changed.length === 0) return [];
  const rows = { before: counts[0], after: counts[1], added, removed, changed };
  return [{ name, change: 'changed', rows }];
}

function shapeOf({ key, columns }: Table): string {
  return `${key} → ${columns.join(', ')}`;
}
