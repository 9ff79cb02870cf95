import type pg from 'pg';
import { TruecountError } from '../core/errors.js';
import type { HourState } from '../store/hours.js';
import { loadRuleSets } from '../store/rule-sets.js';
import { listRuleVersions } from '../store/rule-versions.js';
import { Counter } from './counter.js';
import type { CounterOptions } from './counter.js';

/**
 * A counter that knows every rule set that is in force for an hour, and those that `hours` pin;
 * `version` is the newest of them.
 * @throws TruecountError not_ready before there is any
 */
export async function createCounter(
  client: pg.Client,
  hours: readonly HourState[],
  options: Pick<CounterOptions, 'seeds' | 'flushClicksMax'>,
): Promise<{ readonly counter: Counter; readonly version: number }> {
  const versions = await listRuleVersions(client);
  if (versions.length === 0) {
    throw new TruecountError('not_ready', 'no rule set is in force yet', {
      hint: 'run `truecount migrate`: it stores the configured rule set',
    });
  }
  const hashes = new Set([...versions.map(({ hash }) => hash), ...hours.map(({ pin }) => pin)]);
  const ruleSets = await loadRuleSets(client, [...hashes]);
  return { counter: new Counter({ ...options, versions, ruleSets }), version: versions.length };
}
