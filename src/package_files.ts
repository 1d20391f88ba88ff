const at = (path: string): URL => new URL(path, import.meta.url)

/**
 * Where this package's own files are, as seen from dist/package_files.js. The only module that asks where it is itself:
 * the bundle of the command leaves it out, so that it holds there too.
 */
export const PACKAGE_FILES = {
  addon: at('../build/Release/procmuster.node'),
  keeper: at('../build/Release/muster-keeper'),
  ruleWorker: at('./rules/worker.js'),
  muster: at('./muster/main.js'),
} as const
