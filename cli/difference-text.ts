import { visible } from '../core/printable.js';
import type { Change, PartChange, RuleSetDifference } from '../core/rules/difference.js';
import type { MemberChange } from '../core/rules/member-changes.js';
import type { TableChange } from '../core/rules/table-changes.js';
import type { Style } from './output.js';

/** Rows of a table that are shown of each kind; `--json` has all. */
const ROWS_SHOWN = 5;

const SIGNS: Readonly<Record<Change, string>> = {
  added: '+',
  removed: '-',
  changed: '~',
  rewritten: '=',
};

/** What is different between two rule sets, for people. */
export function differenceText(difference: RuleSetDifference, style: Style): string {
  const { equal, dimensions, filters, filtersMoved, values, tables } = difference;
  if (equal) return 'they are equal';
  const moved = filtersMoved ? ['~ their order: where several hold, the first is the reason'] : [];
  const sections = [
    section('DIMENSIONS', dimensions.flatMap(partLines), style),
    section('FILTERS', [...filters.flatMap(partLines), ...moved], style),
    section('VALUES', values.flatMap(partLines), style),
    section('TABLES', tables.flatMap(tableLines), style),
  ];
  return [...sections.filter((text) => text !== ''), verdict(difference)].join('\n\n');
}

function verdict({ sameMeaning, dimensions, filters }: RuleSetDifference): string {
  if (sameMeaning) return 'they mean the same: every count stays as it is';
  const kept = [...dimensions, ...filters].filter(({ change }) => change === 'rewritten');
  if (kept.length === 0) return 'counts may change';
  const names = kept.map(({ name }) => name).join(', ');
  return `counts may change; written otherwise, but the same (=): ${names}`;
}

function section(title: string, lines: readonly string[], style: Style): string {
  if (lines.length === 0) return '';
  const painted = lines.map((line) => {
    if (line.startsWith('+')) return style.green(line);
    if (line.startsWith('-')) return style.red(line);
    return line.startsWith('~') ? style.yellow(line) : line;
  });
  return [style.bold(title), ...painted].join('\n');
}

function partLines({ name, change, members }: PartChange): string[] {
  const why = change === 'changed' && members.length === 0 ? ' by what it is made of' : '';
  const words = change === 'rewritten' ? 'means the same, written otherwise' : change + why;
  return [`${SIGNS[change]} ${name}: ${words}`, ...members.map(memberLine)];
}

function memberLine({ place, before, after }: MemberChange): string {
  const shown = (value: unknown): string => visible(JSON.stringify(value));
  if (before === undefined) return `    ${visible(place)}: + ${shown(after)}`;
  if (after === undefined) return `    ${visible(place)}: - ${shown(before)}`;
  return `    ${visible(place)}: ${shown(before)} → ${shown(after)}`;
}

function tableLines({ name, change, shape, rows }: TableChange): string[] {
  const count = (n: number): string => `${String(n)} ${n === 1 ? 'row' : 'rows'}`;
  if (change !== 'changed') {
    return [`${SIGNS[change]} ${name}: ${change}, ${count(rows.before + rows.after)}`];
  }
  if (shape !== undefined) return [`~ ${name}: ${shape.before} became ${shape.after}`];
  const { added, removed, changed } = rows;
  const line = (row: readonly string[]): string => visible(row.join(' | '));
  const numbers = `${String(added.length)} added, ${String(removed.length)} removed, ${String(changed.length)} changed`;
  return [
    `~ ${name}: ${count(rows.before)}, then ${count(rows.after)}: ${numbers}`,
    ...few(removed.map((row) => `    - ${line(row)}`)),
    ...few(added.map((row) => `    + ${line(row)}`)),
    ...few(changed.map((row) => `    ${line(row.before)} → ${line(row.after)}`)),
  ];
}

function few(lines: readonly string[]): string[] {
  const more = lines.length - ROWS_SHOWN;
  const rest = more > 0 ? [`    … and ${String(more)} more: --json has all`] : [];
  return [...lines.slice(0, ROWS_SHOWN), ...rest];
}
