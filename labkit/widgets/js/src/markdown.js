// Three ways to render Markdown that arrives in pieces, for MarkdownRace. Built by
// build.mjs into static/vendor/markdown.js; the widget asks Python for it once a page.
export { default as DOMPurify } from 'dompurify';
export { Marked } from 'marked';
export * as smd from 'streaming-markdown';
