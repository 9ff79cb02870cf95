import { execFileSync } from 'node:child_process';
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { TruecountError } from '../../core/errors.js';
import { packageFile } from '../package-root.js';
import { cached } from './cache.js';
import type { Log } from './component.js';
import { runTool } from './tool.js';

/** The broker's version, as pinned in assets/kafka/pom.xml. */
export const KAFKA_VERSION = '4.1.1';
/** Name of its folder in the cache. */
export const KAFKA_CACHE = `kafka-${KAFKA_VERSION}`;
const JAVA_MIN = 17;

/** `java` of JAVA_HOME if that is set, else of PATH. */
export function javaCommand(): string {
  const home = process.env['JAVA_HOME'];
  return home === undefined || home === '' ? 'java' : join(home, 'bin', 'java');
}

/** Major version of that Java; undefined if there is none. */
export function javaVersion(): number | undefined {
  try {
    const text = execFileSync(javaCommand(), ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const major = /\s(\d+)[.\s]/.exec(text)?.[1];
    return major === undefined ? undefined : Number(major);
  } catch {
    return undefined;
  }
}

/**
 * Folder with the broker's jars: from the cache, else resolved by Maven into it (43 MB).
 * @throws TruecountError `component_unavailable` without Java 17 or Maven.
 */
export async function kafkaJars(log: Log): Promise<string> {
  const java = javaVersion();
  if (java === undefined || java < JAVA_MIN) {
    const what =
      java === undefined ? 'there is no java' : `${javaCommand()} is version ${String(java)}`;
    throw new TruecountError(
      'component_unavailable',
      `Kafka needs Java ${String(JAVA_MIN)}: ${what}`,
      {
        hint: 'install a JDK (or set JAVA_HOME), or set TRUECOUNT_KAFKA_BROKERS to a broker of yours',
      },
    );
  }
  return cached(KAFKA_CACHE, log, async (dir) => {
    log(`kafka: fetching version ${KAFKA_VERSION} with Maven (43 MB, once)`);
    copyFileSync(
      packageFile('runtime', 'stack', 'assets', 'kafka', 'pom.xml'),
      join(dir, 'pom.xml'),
    );
    const goal = ['-q', '-B', 'dependency:copy-dependencies', '-DincludeScope=runtime'];
    await runTool('kafka', 'mvn', [...goal, `-DoutputDirectory=${dir}`], {
      cwd: dir,
      log,
      doing: 'Maven resolves the broker',
      hint: 'install Maven 3.8 or later, or set TRUECOUNT_KAFKA_BROKERS to a broker of yours',
    });
  });
}
