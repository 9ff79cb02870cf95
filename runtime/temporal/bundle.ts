import { createHash, randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { bundleWorkflowCode } from '@temporalio/worker';
import type { WorkflowBundle, WorkflowBundlePath } from '@temporalio/worker';
import { packageFile } from '../package-root.js';

/** Kept beside what it was made of, and made again when that has changed. */
const BUNDLE_FILE = ['dist', 'workflow-bundle.js'] as const;

/**
 * The compiled workflows as one script. Bundling takes 2 s of CPU, so the first worker after a build
 * leaves it in `dist/`; where it may not write there, each worker bundles for itself. It fails if the
 * workflows hold a Node module or a package that they may not use; the reason is in the log only.
 */
export async function workflowBundle(): Promise<WorkflowBundle | WorkflowBundlePath> {
  const codePath = packageFile(...BUNDLE_FILE);
  const mark = `// made of ${hashOfSources()}\n`;
  if (existsSync(codePath) && readFileSync(codePath, 'utf8').startsWith(mark)) return { codePath };
  const { code } = await bundleWorkflowCode({
    workflowsPath: packageFile('dist', 'workflows', 'all.js'),
  });
  return keep(codePath, mark + code) ? { codePath } : { code };
}

/** SHA-256 over all that workflows may be made of: our two folders, and the SDK by its version. */
function hashOfSources(): string {
  const hash = createHash('sha256');
  const { resolve } = createRequire(import.meta.url);
  hash.update(readFileSync(resolve('@temporalio/workflow/package.json')));
  for (const folder of ['workflows', 'core']) {
    const root = packageFile('dist', folder);
    for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()) {
      if (name.endsWith('.js')) hash.update(`${name}\n`).update(readFileSync(join(root, name)));
    }
  }
  return hash.digest('hex');
}

/** Whether the file is there now, whole: several workers may write it at once. */
function keep(path: string, text: string): boolean {
  const draft = `${path}.${randomUUID()}`;
  try {
    writeFileSync(draft, text);
    renameSync(draft, path);
    return true;
  } catch {
    rmSync(draft, { force: true });
    return false;
  }
}
