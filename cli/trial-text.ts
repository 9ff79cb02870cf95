import type { FieldValue } from '../core/click/click.js';
import { visible } from '../core/printable.js';
import { formatTime } from '../core/range.js';
import type { Condition } from '../core/rules/rule-set.js';
import type { Trace, TracedCap, TracedFilter, TracedValue } from '../core/rules/trace.js';
import type { Trial } from '../core/rules/trial.js';
import { columns, type Style } from './output.js';

/** Entries of a list that a condition is shown with. */
const ENTRIES_SHOWN = 3;

/** What becomes of a record, and how it came to that, for people. */
export function trialText(trial: Trial, style: Style): string {
  const line = `line ${String(trial.line)}`;
  if (trial.fate === 'quarantined') {
    return `${style.bold(line)}: ${style.yellow('quarantined')} as ${trial.reason}: ${visible(trial.detail)}`;
  }
  const { adId, eventId, eventMs } = trial.click;
  const head = style.bold(`${line}: ${visible(adId)}, ${visible(eventId)}, ${formatTime(eventMs)}`);
  if (trial.fate === 'duplicate') {
    return `${head}: ${style.yellow('duplicate')} of line ${String(trial.of)}`;
  }
  return [`${head}: ${outcome(trial.trace, style)}`, ...traceLines(trial.trace)].join('\n');
}

function outcome({ reason, filters }: Trace, style: Style): string {
  if (reason !== null) return `${style.red('filtered')} as ${reason}`;
  const cells = ['total', ...filters.slice(1)].map(visible);
  return `${style.green('counted')} in ${cells.join(', ')}`;
}

function traceLines({ values, dimensions, filtered, caps }: Trace): string[] {
  const capLines =
    caps === null ? [['', 'not asked: a filter holds']] : caps.map((cap) => capLine(cap));
  const sections: [string, string[][]][] = [
    ['values', values.map(valueLine)],
    ['dimensions', dimensions.map(valueLine)],
    ['filters', filtered.flatMap(filterLines)],
    ['caps', capLines],
  ];
  return sections
    .filter(([, rows]) => rows.length > 0)
    .flatMap(([title, rows]) => [`  ${title}`, ...columns(rows).split('\n').map(indented)]);
}

function indented(line: string): string {
  return `    ${line}`;
}

function valueLine(value: TracedValue): string[] {
  const { name, source, from, sum, steps, countedAs } = value;
  const parts = from.map(({ name: part, value: is, weight }) => {
    const adds = weight === undefined ? '' : ` (${weight < 0 ? '' : '+'}${String(weight)})`;
    return `${visible(part)} ${shown(is)}${adds}`;
  });
  const made =
    source === 'field' || source === 'value'
      ? parts.join(', ')
      : `${source} of ${parts.join(', ')}${sum === undefined ? '' : `, sum ${String(sum)}`} → ${shown(value.text)}`;
  const stepped = steps.map(({ step, result }) => ` → ${step} ${shown(result)}`);
  return [name, `${made}${stepped.join('')}`, `= ${visible(countedAs)}`];
}

function filterLines({ reason, holds, conditions }: TracedFilter): string[][] {
  return conditions.map(({ condition, value, holds: one }, i) => [
    i === 0 ? reason : '',
    `${nameOf(condition)} ${shown(value)} ${testText(condition)}: ${one ? 'yes' : 'no'}`,
    i === conditions.length - 1 ? `= ${holds ? 'holds' : 'does not hold'}` : '',
  ]);
}

function nameOf(condition: Condition): string {
  return visible('field' in condition ? condition.field : condition.value);
}

function testText(condition: Condition): string {
  if ('matches' in condition) return `matches ${visible(condition.matches)}`;
  if ('missing' in condition) return 'is missing';
  const [word, entries] = 'in' in condition ? ['in', condition.in] : ['within', condition.within];
  const rest =
    entries.length > ENTRIES_SHOWN ? ` and ${String(entries.length - ENTRIES_SHOWN)} more` : '';
  return `${word} [${entries.slice(0, ENTRIES_SHOWN).map(visible).join(', ')}${rest}]`;
}

function capLine({ cap, value, before, above }: TracedCap): string[] {
  const { reason, field, max } = cap;
  const which =
    before === null
      ? 'is not capped'
      : `is click ${String(before + 1)}, at most ${String(max)} count`;
  return [reason, `${visible(field)} ${shown(value)} ${which}`, `= ${above ? 'above' : 'counts'}`];
}

function shown(value: FieldValue): string {
  if (value.kind === 'value') return visible(JSON.stringify(value.text));
  return value.kind;
}
