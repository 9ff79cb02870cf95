import { test } from 'vitest';
import { runFaults } from '../support/faults.js';
import { ARCHIVE_FAULT_KINDS } from './kinds.js';

// The other kinds, and more points of each: npm run test:faults.
const { killed, frozen, postgresCrashed, brokerCrashed } = ARCHIVE_FAULT_KINDS;

test.each([killed, frozen, postgresCrashed, brokerCrashed])(
  'under load every click is in the lake once: $name, 3 times',
  { timeout: 900_000 },
  async (kind) => {
    await runFaults(kind, 3);
  },
);
