import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { LONGEST } from '../support/longest-first.js';

it.each(LONGEST)('%s, which is to start early, is there', (file) => {
  expect(existsSync(join(import.meta.dirname, '..', '..', file))).toBe(true);
});
