-- How sure the agent was of a work product, from 0 to 1. Null means it did not say.
ALTER TABLE work_products ADD COLUMN confidence REAL;

CREATE INDEX idx_work_products_confidence ON work_products(confidence DESC);
