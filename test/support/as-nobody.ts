import { chmodSync, statSync } from 'node:fs';
import { afterEach, beforeEach } from 'vitest';

const NOBODY = 65_534;

/** Permissions mean nothing to root: the tests of this file run as somebody whom they bind. */
export function asNobody(): void {
  if (process.geteuid?.() !== 0) return;
  beforeEach(() => {
    process.seteuid!(NOBODY);
  });
  afterEach(() => {
    process.seteuid!(0);
  });
}

/** Takes rights to a path away, all or but those of `left`; what this returns gives them back. */
export function deny(path: string, left = 0): () => void {
  const { mode } = statSync(path);
  chmodSync(path, left);
  return () => {
    chmodSync(path, mode);
  };
}
