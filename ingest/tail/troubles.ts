import type { Logger } from 'pino';
import { closeContent } from './followed.js';
import type { Followed } from './followed.js';

/** Why a file is not read. */
export interface Trouble {
  readonly path: string;
  readonly why: string;
}

/** Says what is wrong with files, once each. */
export class Troubles {
  private readonly said = new Map<string, string>();

  constructor(private readonly log: Pick<Logger, 'warn' | 'error'>) {}

  /** Says something of a path, unless it is what was said of it last. */
  say(path: string, words: string, level: 'warn' | 'error' = 'warn'): void {
    if (this.said.get(path) === words) return;
    this.said.set(path, words);
    this.log[level]({ file: path }, words);
  }

  /** Sets a file aside that cannot be read: the others go on, and nothing of it is passed over. */
  async guarded<T>(followed: Followed, look: () => Promise<T>): Promise<T | undefined> {
    try {
      const found = await look();
      followed.hindrance = undefined;
      return found;
    } catch (error) {
      const { path, offset } = followed.known;
      const { message, syscall } = error as NodeJS.ErrnoException;
      followed.reader = undefined;
      if (syscall !== undefined) {
        followed.hindrance = message;
        this.say(path, `cannot be read now: ${message}`, 'error');
        return undefined;
      }
      followed.problem = message;
      const words = 'the file is set aside; mend what is wrong and start the tail again';
      this.log.error({ file: path, offset, err: error }, words);
      await closeContent(followed);
      return undefined;
    }
  }
}

/** Those of known files. */
export function troublesOf(followed: Iterable<Followed>): Trouble[] {
  return [...followed].flatMap(({ known, problem, hindrance }) => {
    const why = problem ?? hindrance;
    return why === undefined ? [] : [{ path: known.path, why }];
  });
}
