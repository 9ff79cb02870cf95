import { vi } from 'vitest';

export interface Output {
  stdout: string;
  stderr: string;
}

/** What this process writes from now on, in the place of its channels, until mocks are restored. */
export function captureOutput(): Output {
  const output = { stdout: '', stderr: '' };
  for (const channel of ['stdout', 'stderr'] as const) {
    vi.spyOn(process[channel], 'write').mockImplementation((text) => {
      output[channel] += String(text);
      return true;
    });
  }
  return output;
}
