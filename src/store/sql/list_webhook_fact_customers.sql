select distinct customer from webhook_fact where customer is not null order by customer
