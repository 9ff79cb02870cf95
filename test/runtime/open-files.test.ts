import { expect, it } from 'vitest';
import { openFilesMax } from '../../runtime/open-files.js';

it.each([
  ['Max open files            1024                 4096                 files', 512],
  ['Max open files            20000                20000                files', 4_096],
  ['Max open files            unlimited            unlimited            files', 512],
  ['', 512],
])('holds half of the files open that it may, and at most 4,096: %j', (limits, max) => {
  expect(openFilesMax(limits)).toBe(max);
});

it('may hold some open here', () => {
  expect(openFilesMax()).toBeGreaterThanOrEqual(128);
});
