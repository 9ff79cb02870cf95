import { test } from 'vitest';
import { runFaults } from '../support/faults.js';
import { FAULT_KINDS } from './kinds.js';

const { postgresCrashed, postgresAway, brokerCrashed } = FAULT_KINDS;

test.each([postgresCrashed, brokerCrashed])(
  'under load nothing is lost or counted twice: $name, 3 times',
  { timeout: 900_000 },
  async (kind) => {
    await runFaults(kind, 3);
  },
);

test(
  'while Postgres is away for long the stream waits in bounded memory, and then counts all',
  { timeout: 900_000 },
  async () => {
    await runFaults(postgresAway, 1);
  },
);
