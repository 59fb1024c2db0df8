-- The tables of the in-house CRM that config/crms/in_house_sql.yaml reads and writes (PostgreSQL).
CREATE SCHEMA crm;
CREATE TABLE crm.customer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ref varchar(64) NOT NULL UNIQUE,
    name varchar(120) NOT NULL,
    phone varchar(60),
    mobile varchar(60),
    email varchar(254),
    country char(2),
    consent boolean,
    merged_into bigint REFERENCES crm.customer,
    changed timestamptz NOT NULL DEFAULT now(),
    -- What a look-up by number asks for: the last seven digits, however the number was typed.
    phone_tail text GENERATED ALWAYS AS (right(regexp_replace(phone, '\D', '', 'g'), 7)) STORED,
    mobile_tail text GENERATED ALWAYS AS (right(regexp_replace(mobile, '\D', '', 'g'), 7)) STORED
);
CREATE INDEX ON crm.customer (phone_tail);
CREATE INDEX ON crm.customer (mobile_tail);
CREATE INDEX ON crm.customer (lower(email));
CREATE TABLE crm.call (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ref varchar(400) NOT NULL UNIQUE, -- the hub's key: the same call is the same row
    customer_id bigint REFERENCES crm.customer,
    direction varchar(10) CHECK (direction IN ('inbound', 'outbound')),
    outcome varchar(20),
    seconds integer,
    note varchar(4000),
    recording text,
    at timestamptz
);
CREATE TABLE crm.segment_member (
    segment text NOT NULL,
    customer_id bigint NOT NULL REFERENCES crm.customer,
    changed timestamptz NOT NULL DEFAULT now(),
    left_at timestamptz,
    PRIMARY KEY (segment, customer_id)
);
