import { ERROR_CODES, TruecountError } from '../core/errors.js';
import { printJson, say, styleFor } from './output.js';

/** The exit code that an error ends the process with (interfaces: 0 to 5). */
export function exitCodeOf(error: unknown): number {
  return error instanceof TruecountError ? ERROR_CODES[error.code].exit : 1;
}

/**
 * Says on stderr what went wrong and what to do; with `--json` also gives `{error: {code, message,
 * hint, context}}` on stdout. An error that is not ours is a defect: its stack is shown.
 */
export function reportError(error: unknown, json: boolean): void {
  const style = styleFor(process.stderr);
  if (error instanceof TruecountError) {
    say(`${style.red(`error (${error.code}):`)} ${error.message}`);
    if (error.hint !== undefined) say(`${style.bold('hint:')} ${error.hint}`);
    const { code, message, hint, context } = error;
    if (json) printJson({ error: { code, message, hint, context } });
    return;
  }
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  say(`${style.red('error (internal):')} ${text}`);
  if (json) printJson({ error: { code: 'internal', message: String(error) } });
}
