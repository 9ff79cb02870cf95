import type { RangePlan } from '../core/range-plan.js';
import { columns, type Style } from './output.js';
import { shortBytes, shortDuration } from './progress-line.js';

/** A plan as people read it: a line an hour, the sums, and the hash to approve. */
export function planText(plan: RangePlan, style: Style): string {
  const reads = plan.files > 0;
  const head = ['HOUR', 'STATE', 'REV', 'RULES', 'LATE'];
  const [title = '', ...lines] = columns([
    [...head, ...(reads ? ['FILES', 'BYTES', 'ROWS'] : ['GENERATION']), 'DOES'],
    ...plan.hours.map((hour) => [
      hour.hour,
      hour.state + (hour.held ? ', held' : ''),
      String(hour.revision),
      hour.ruleSet.slice(0, 8),
      String(hour.latePending),
      ...(reads
        ? [String(hour.files), shortBytes(hour.bytes), String(hour.rows)]
        : [hour.generation === null ? '-' : String(hour.generation)]),
      does(hour.steps, hour.note),
    ]),
  ]).split('\n');
  return [style.bold(title), ...lines, '', ...sums(plan), `plan ${plan.hash}`].join('\n');
}

function does(steps: readonly string[], note: string): string {
  const what = steps.length === 0 ? 'nothing' : steps.join(', ');
  return note === '' ? what : `${what} (${note})`;
}

function sums(plan: RangePlan): string[] {
  const busy = plan.hours.filter(({ steps }) => steps.length > 0).length;
  const hours = `${String(busy)} of ${String(plan.hours.length)} hours`;
  if (plan.files === 0) return [hours];
  const read = `${String(plan.files)} files, ${shortBytes(plan.bytes)}, ${String(plan.rows)} rows`;
  const time =
    plan.expectedMs === null
      ? 'expected time: not known, nothing has been recomputed here lately'
      : `expected time: about ${shortDuration(plan.expectedMs)}, at the pace of the last recomputes`;
  return [`${hours}: ${read} in the lake now`, time];
}

/** The same as a JSON document. */
export function planDocument(plan: RangePlan): object {
  return {
    ...{ verb: plan.verb, from: plan.from, to: plan.to, plan_hash: plan.hash },
    ...{ files: plan.files, bytes: plan.bytes, rows: plan.rows },
    expected_ms: plan.expectedMs,
    hours: plan.hours.map((hour) => ({
      ...{ hour: hour.hour, state: hour.state, revision: hour.revision, held: hour.held },
      ...{ late_pending: hour.latePending, rule_set: hour.ruleSet, generation: hour.generation },
      ...{ steps: hour.steps, note: hour.note },
      ...{ files: hour.files, bytes: hour.bytes, rows: hour.rows },
    })),
  };
}
