import { expect, test } from 'vitest';
import { runFaults } from '../support/faults.js';
import { ARCHIVE_FAULT_KINDS, FAULT_KINDS } from './kinds.js';

/** Faults of each kind; fewer for a quick look: `POINTS=5 npm run test:faults`. */
const POINTS = Number(process.env['POINTS'] ?? 20);

const { postgresAway, ...repeated } = FAULT_KINDS;

test.each([...Object.values(repeated), ...Object.values(ARCHIVE_FAULT_KINDS)])(
  `under load nothing is lost or counted twice: $name, ${String(POINTS)} times`,
  async (kind) => {
    expect((await runFaults(kind, POINTS)).faults).toBe(POINTS);
  },
);

test('while Postgres is away for long the stream waits in bounded memory, and then counts all', async () => {
  await runFaults(postgresAway, 3);
});
