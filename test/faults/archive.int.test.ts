import { test } from 'vitest';
import { runFaults } from '../support/faults.js';
import { ARCHIVE_FAULT_KINDS } from './kinds.js';

// The other kinds, and more points of each: npm run test:faults.
const { killed, frozen, postgresCrashed, brokerCrashed } = ARCHIVE_FAULT_KINDS;

test.each([
  [killed.name, killed, 3],
  [frozen.name, frozen, 3],
  [postgresCrashed.name, postgresCrashed, 1],
  [brokerCrashed.name, brokerCrashed, 1],
] as const)(
  'under load every click is in the lake once: %s',
  { timeout: 300_000 },
  async (_, kind, points) => {
    await runFaults(kind, points);
  },
);
