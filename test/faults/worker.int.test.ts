import { test } from 'vitest';
import { runFaults } from '../support/faults.js';
import { FAULT_KINDS } from './kinds.js';

const { killed, frozen, frozenInTransaction, rebalanced } = FAULT_KINDS;

test.each([killed, frozen, frozenInTransaction, rebalanced])(
  'under load nothing is lost or counted twice: $name, 3 times',
  { timeout: 900_000 },
  async (kind) => {
    await runFaults(kind, 3);
  },
);
