import { test } from 'vitest';
import { runFaults } from '../support/faults.js';
import { ARCHIVE_FAULT_KINDS } from './kinds.js';

test.each(Object.values(ARCHIVE_FAULT_KINDS))(
  'under load every click is in the lake once: $name, 3 times',
  { timeout: 300_000 },
  async (kind) => {
    await runFaults(kind, 3);
  },
);
