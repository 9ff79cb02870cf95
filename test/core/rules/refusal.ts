import { TruecountError } from '../../../core/errors.js';

/** The error that `run` throws. */
export function refusal(run: () => unknown): TruecountError {
  try {
    run();
  } catch (error) {
    if (error instanceof TruecountError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
