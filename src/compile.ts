/**
 * The compiler as one pure function chain: text -> graph -> program -> plan -> package files. Sources come through a
 * host; nothing here touches files, the process or a device, so that all of it also runs in a browser.
 */
