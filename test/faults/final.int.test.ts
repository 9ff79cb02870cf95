import { afterAll, beforeAll, expect, it } from 'vitest';
import { expectSound } from '../support/faults/final-checks.js';
import { FinalWorld } from '../support/faults/final-world.js';
import { skipUnless } from '../support/skip-unless.js';
import { FINAL_STRIKES } from './final-kinds.js';

// Replays of final hours under faults. Strikes follow each other while those before are still being
// recovered from; more of them: npm run test:faults.
const STRIKES = Number(process.env['STRIKES'] ?? 3);
const MINUTE_MS = 60_000;
const ownTemporal = process.env['TRUECOUNT_TEMPORAL_ADDRESS'] === undefined;
const itOnLinux = skipUnless(process.platform === 'linux', 'processes are found in /proc');
const itOnOwnTemporal = skipUnless(ownTemporal, 'Temporal is given: it is not ours to kill');
let world: FinalWorld;

beforeAll(async () => {
  world = await FinalWorld.start();
  await world.runUndisturbed();
}, 4 * MINUTE_MS);

afterAll(async () => {
  await world?.close();
});

const { worker, early, temporal, postgres } = FINAL_STRIKES;
for (const [test, { name, points, strike }] of [
  [itOnLinux, worker],
  [it, early],
  [itOnOwnTemporal, temporal],
  [itOnLinux, postgres],
] as const) {
  test(
    `${name}, ${String(STRIKES)} times, at each of: ${points.join(', ')}`,
    async () => {
      for (let round = 0; round < STRIKES; round++) await strike(world, round);
      for (const point of points) expect(world.hits.get(point), point).toBe(STRIKES);
    },
    4 * STRIKES * MINUTE_MS,
  );
}

it(
  'then every replay has published once, what readers saw was old or new, and nothing is left',
  async () => {
    await world.finishAll();
    await expectSound(world);
    const hits = [...world.hits].map(([point, n]) => `${String(n)} ${point}`).join(', ');
    console.log(`faults of final hours: ${hits}; ${String(world.reader.looks)} looks meanwhile`);
  },
  6 * MINUTE_MS,
);
