import type pg from 'pg';
import { maxCut, normalCut } from '../core/cut.js';
import type { Cut } from '../core/cut.js';
import { TruecountError } from '../core/errors.js';
import { streamCut } from '../store/generations/cut.js';
import { loadedGeneration } from '../store/generations/find.js';
import { hourStates } from '../store/generations/hours.js';
import type { HourStanding } from '../store/generations/hours.js';
import { loadRuleSets } from '../store/rule-sets.js';
import type { Activities } from '../workflows/activity-contract.js';
import type { CutChoice } from '../workflows/contract.js';
import { hourMsOf } from '../workflows/input.js';
import type { ActivityDeps } from './deps.js';

/** Turns "this hour, with its own rules" into the inputs that name a generation for ever. */
export function resolveInputsActivity({ session }: ActivityDeps): Activities['resolveInputs'] {
  return ({ hour, cut: choice, rules, reuse }) =>
    session(async (client) => {
      const hourMs = hourMsOf(hour);
      const [standing] = await hourStates(client, [hourMs]);
      if (standing === undefined) {
        throw new TruecountError('not_found', `nothing was counted into ${hour} yet`, {
          hint: 'cut it first: an hour without clicks is cut like any other',
        });
      }
      const ruleSet = rules ?? standing.served?.ruleSet ?? standing.pin;
      await loadRuleSets(client, [ruleSet]);
      const cut = normalCut(await chosenCut(client, hour, standing, choice));
      const found = reuse ? await loadedGeneration(client, { hourMs, ruleSet, cut }) : null;
      const existing = found === null ? null : asLoadResult(found);
      return { inputs: { hour, ruleSet, cut }, existing, revision: standing.revision };
    });
}

/** A late cut is anything componentwise higher; where the stream is now takes in all it recorded. */
async function chosenCut(
  client: pg.ClientBase,
  hour: string,
  { cut, served }: HourStanding,
  choice: CutChoice,
): Promise<Cut> {
  if (cut === null) {
    throw new TruecountError('conflict', `${hour} is not cut: its count still changes`, {
      hint: 'cut it first (`truecount cut`), or replay it: that cuts what is over',
    });
  }
  if (choice === 'hour') return cut;
  const base = served?.cut ?? cut;
  return choice === 'served' ? base : maxCut(base, await streamCut(client));
}

function asLoadResult({
  id: generation,
  checksum,
  clicks,
  cells,
  existed,
}: NonNullable<Awaited<ReturnType<typeof loadedGeneration>>>) {
  return { generation, checksum, clicks, cells, existed };
}
