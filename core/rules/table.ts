import { BlockIndex, blockId, parseAddress, parseBlock } from './ip.js';
import type { Table } from './rule-set.js';

/** The text of a column in the row that a text finds; undefined: no row. */
export type Finder = (text: string) => string | undefined;

/** What two keys of a table have in common if they find the same: no two rows of it have the same. */
export function keyId(kind: Table['key'], key: string): string {
  return kind === 'text' ? key : blockId(parseBlock(key)!);
}

/** Makes the lookup of one column, which the table has. */
export function finderOf(table: Table, column: string): Finder {
  const at = 1 + table.columns.indexOf(column);
  if (table.key === 'text') {
    const found = new Map(table.rows.map((row) => [row[0]!, row[at]!]));
    return (text) => found.get(text);
  }
  const index = new BlockIndex(table.rows.map((row) => [parseBlock(row[0]!)!, row[at]!] as const));
  return (text) => {
    const address = parseAddress(text);
    return address === null ? undefined : index.find(address);
  };
}
