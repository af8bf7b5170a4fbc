"""The charts of all pages, as Vega-Lite specifications."""
